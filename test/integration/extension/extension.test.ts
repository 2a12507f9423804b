import assert from "node:assert/strict"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { PassThrough } from "node:stream"
import { text } from "node:stream/consumers"
import { test } from "node:test"
import { configMap, clusterRole, event, node, pod } from "@knarr/api"
import { createTransport, resolveContext, type Transport } from "@knarr/client"
import { runKubectl } from "@knarr/kubectl"
import { startControlPlane, type TestControlPlane } from "knarr/testing"
import { sizes } from "./sizes.command.ts"
import { toyNodes } from "./toy-nodes.plugin.ts"
import { widgetController } from "./widget.controller.ts"
import { widget } from "./widget.kind.ts"

const signal = AbortSignal.timeout(30_000)

async function withCluster(
  fn: (cluster: TestControlPlane, transport: Transport) => Promise<void>,
): Promise<void> {
  await using cluster = await startControlPlane({
    kinds: [widget],
    controllers: [widgetController],
    schedulerPlugins: [toyNodes],
    port: 0,
  })
  using transport = createTransport(resolveContext(cluster.kubeconfig!).transport)
  await fn(cluster, transport)
}

async function getJson(transport: Transport, path: string, accept = "application/json"): Promise<any> {
  const response = await transport.request({ method: "GET", path, headers: { accept }, signal })
  const text = (await response.buffer()).toString("utf8")
  assert.equal(response.status, 200, text)
  return JSON.parse(text)
}

test("a kind in one file is served, discovered, printed, watched and explained", () =>
  withCluster(async ({ client }, transport) => {
    const watching = client.watch(widget, { namespace: "default", signal })[Symbol.asyncIterator]()
    const next = watching.next()
    await client.create(widget, { metadata: { namespace: "default", name: "w" }, spec: { size: 3 } })
    const { value } = await next
    assert.equal(value?.type, "ADDED")
    assert.deepEqual(value?.type === "ADDED" && value.object.spec, { size: 3, color: "red" })
    await watching.return?.()

    const resources = await getJson(transport, "/apis/toys.example.com/v1")
    assert.deepEqual(
      resources.resources.map((r: { name: string }) => r.name),
      ["widgets", "widgets/status"],
    )
    assert.deepEqual(resources.resources[0].shortNames, ["wd"])
    const table = await getJson(
      transport,
      "/apis/toys.example.com/v1/namespaces/default/widgets",
      "application/json;as=Table;v=v1;g=meta.k8s.io",
    )
    assert.deepEqual(
      table.columnDefinitions.map((c: { name: string }) => c.name),
      ["Name", "Size", "Color"],
    )
    assert.deepEqual(table.rows[0].cells, ["w", 3, "red"])
    const openApi = await getJson(transport, "/openapi/v3/apis/toys.example.com/v1")
    assert.deepEqual(Object.keys(openApi.components.schemas["com.example.toys.v1.WidgetSpec"].properties), [
      "color",
      "size",
    ])
    await assert.rejects(
      client.create(widget, { metadata: { namespace: "default", name: "bad" }, spec: { size: 0 } }),
      {
        message:
          'Widget.toys.example.com "bad" is invalid: spec.size: Invalid value: 0: must be greater than 0',
      },
    )
  }))

test("a controller in one file runs with its own service account and role", () =>
  withCluster(async ({ client, informers, plane }) => {
    const maps = informers.informer(configMap)
    const made = new Promise<void>(
      (resolve) => void maps.subscribe({ added: (m) => m.metadata.name === "w-parts" && resolve() }),
    )
    await client.create(widget, { metadata: { namespace: "default", name: "w" }, spec: { size: 2 } })
    await made
    const role = await client.get(clusterRole, { name: "system:controller:widget-controller" })
    assert.equal(role.rules?.length, 2)
    const map = await client.get(configMap, { namespace: "default", name: "w-parts" })
    assert.equal(map.metadata.managedFields?.[0]?.manager, "kube-controller-manager")
    const user = {
      name: "system:serviceaccount:kube-system:widget-controller",
      groups: ["system:authenticated"],
    }
    const asController = plane.client(user)
    await asController.get(widget, { namespace: "default", name: "w" })
    await assert.rejects(
      asController.list(pod, { namespace: "default" }),
      /pods is forbidden: User "system:serviceaccount:kube-system:widget-controller" cannot list resource "pods"/,
    )
  }))

test("a scheduler plugin in one file refuses nodes and is named in the event", () =>
  withCluster(async ({ client, informers }) => {
    const allocatable = { cpu: "4", memory: "8Gi", pods: "110" }
    await client.create(node, { metadata: { name: "plain" }, spec: {} })
    await client.patch(
      node,
      { name: "plain" },
      "merge",
      { status: { allocatable, capacity: allocatable, conditions: [{ type: "Ready", status: "True" }] } },
      { subresource: "status" },
    )
    const events = informers.informer(event)
    const refused = new Promise<string>(
      (resolve) =>
        void events.subscribe({ added: (e) => e.reason === "FailedScheduling" && resolve(e.message ?? "") }),
    )
    const pods = informers.informer(pod)
    const placed = new Promise<void>(
      (resolve) => void pods.subscribe({ updated: (p) => p.spec.nodeName === "plain" && resolve() }),
    )
    await client.create(pod, {
      metadata: { namespace: "default", name: "toy", labels: { toy: "car" } },
      spec: { containers: [{ name: "c", image: "c", resources: {} }] },
    })
    assert.match(
      await refused,
      /^0\/1 nodes are available: 1 node\(s\) (had no toys|had untolerated taint\(s\))\. preemption: 0\/1 nodes are available: 1 Preemption is not helpful for scheduling\.$/,
    )
    await client.patch(node, { name: "plain" }, "merge", { metadata: { labels: { toys: "yes" } } })
    await placed
  }))

test("a kubectl command in one file runs, and the others know the kind", () =>
  withCluster(async ({ client, env, kubeconfig }) => {
    const dir = mkdtempSync(join(tmpdir(), "extension-"))
    try {
      writeFileSync(join(dir, "kubeconfig"), JSON.stringify(kubeconfig))
      await client.create(widget, { metadata: { namespace: "default", name: "w" }, spec: { size: 3 } })
      const run = async (...argv: string[]): Promise<string> => {
        const [stdout, stderr] = [new PassThrough(), new PassThrough()]
        const environment = { HOME: dir, KUBECONFIG: join(dir, "kubeconfig") }
        const io = {
          stdin: new PassThrough(),
          stdout,
          stderr,
          env: environment,
          signal,
          clock: env.clock,
          random: env.random,
        }
        const code = await runKubectl(argv, io, [sizes])
        stdout.end()
        stderr.end()
        const [out, problem] = [await text(stdout), await text(stderr)]
        assert.equal(code, 0, problem)
        return out
      }
      assert.equal(await run("sizes"), "w is 3\n")
      assert.equal(await run("get", "wd"), "NAME   SIZE   COLOR\nw      3      red\n")
      assert.match(await run("explain", "widget.spec"), /FIELDS:\n  color\t<string>\n/)
      assert.match(
        await run("api-resources", "--api-group=toys.example.com"),
        /widgets +wd +toys\.example\.com\/v1 +true +Widget/,
      )
    } finally {
      rmSync(dir, { recursive: true })
    }
  }))
