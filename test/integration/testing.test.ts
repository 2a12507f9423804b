/** What `knarr/testing` promises to those who test against it. */
import assert from "node:assert/strict"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { test } from "node:test"
import {
  configMap,
  cronJob,
  customResourceDefinition,
  job,
  mutatingWebhookConfiguration,
  namespace,
  pod,
  serviceAccount,
} from "@knarr/api"
import { createCA, issueCertificate, systemClock, systemRandom } from "@knarr/base"
import { createTransport, resolveContext } from "@knarr/client"
import { startControlPlane } from "knarr/testing"

const signal = AbortSignal.timeout(60_000)
const container = { name: "c", image: "busybox" }

test("several control planes listen in one process, each with its own objects, and end with stop", async () => {
  const planes = await Promise.all([startControlPlane(), startControlPlane(), startControlPlane()])
  assert.equal(new Set(planes.map(({ url }) => url)).size, 3)
  const names: string[] = []
  for (const [i, { client, kubeconfig, url }] of planes.entries()) {
    await client.create(namespace, { metadata: { name: `of-${i}` }, spec: {} })
    using transport = createTransport(resolveContext(JSON.parse(JSON.stringify(kubeconfig))).transport)
    assert.equal(resolveContext(kubeconfig).transport.server, url)
    const response = await transport.request({ method: "GET", path: "/api/v1/namespaces", signal })
    const list = JSON.parse(String(await response.buffer())) as {
      readonly items: readonly { readonly metadata: { readonly name: string } }[]
    }
    names.push(...list.items.map(({ metadata }) => metadata.name).filter((name) => name.startsWith("of-")))
  }
  assert.deepEqual(names, ["of-0", "of-1", "of-2"])
  await Promise.all(planes.map((plane) => plane.stop()))
  await planes[0]!.stop()
  using transport = createTransport(resolveContext(planes[0]!.kubeconfig).transport)
  await assert.rejects(transport.request({ method: "GET", path: "/readyz", signal }), /ECONNREFUSED/)
})

test("webhooks answer in their own time, for which virtual time stands still", async () => {
  const authority = {
    serial: systemRandom.bytes(16),
    notBeforeMs: Date.parse("2020-01-01"),
    notAfterMs: Date.parse("2100-01-01"),
  }
  const ca = createCA({ subject: { commonName: "hooks" }, ...authority })
  const { cert, key } = issueCertificate(ca, {
    ...authority,
    subject: { commonName: "hook" },
    ipAddresses: ["127.0.0.1"],
    usages: ["serverAuth"],
  })
  let asked = 0
  const hook = createServer({ cert, key }, (request, response) => {
    const chunks: Buffer[] = []
    request.on("data", (chunk: Buffer) => chunks.push(chunk))
    request.on("end", () => {
      const review = JSON.parse(String(Buffer.concat(chunks))) as {
        readonly request: { readonly uid: string }
      }
      asked++
      const operations = [{ op: "add", path: "/metadata/labels/asked", value: "yes" }]
      const patch = Buffer.from(JSON.stringify(operations)).toString("base64")
      const answer = { uid: review.request.uid, allowed: true, patchType: "JSONPatch", patch }
      void systemClock
        .sleep(20, signal)
        .then(() => response.end(JSON.stringify({ ...review, response: answer })))
    })
  })
  await new Promise<void>((resolve) => void hook.listen(0, "127.0.0.1", resolve))
  await using cluster = await startControlPlane({ time: "virtual", nodes: 1 })
  const { client, clock } = cluster
  await client.create(mutatingWebhookConfiguration, {
    metadata: { name: "hook" },
    webhooks: [
      {
        name: "hook.example.com",
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        timeoutSeconds: 10,
        rules: [{ operations: ["CREATE"], apiGroups: ["batch"], apiVersions: ["v1"], resources: ["jobs"] }],
        clientConfig: {
          url: `https://127.0.0.1:${(hook.address() as AddressInfo).port}/`,
          caBundle: Buffer.from(ca.cert).toString("base64"),
        },
      },
    ],
  })
  const template = { metadata: {}, spec: { containers: [container], restartPolicy: "Never" as const } }
  await client.create(cronJob, {
    metadata: { namespace: "default", name: "c" },
    spec: {
      schedule: "* * * * *",
      successfulJobsHistoryLimit: 100,
      jobTemplate: { metadata: { labels: { made: "yes" } }, spec: { template } },
    },
  })
  await clock.advance(5.5 * 60_000)
  hook.closeAllConnections()
  hook.close()
  const { items } = await client.list(job, { labelSelector: "asked=yes" })
  assert.deepEqual([items.length, asked], [5, 5])
})

test("custom resources are served in virtual time, and the same seed gives the same names", async () => {
  const run = async (): Promise<unknown> => {
    await using cluster = await startControlPlane({ time: "virtual", seed: 7 })
    const { client, clock } = cluster
    const names = { plural: "toys", singular: "toy", kind: "Toy", listKind: "ToyList" }
    const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } }
    await client.create(customResourceDefinition, {
      metadata: { name: "toys.example.com" },
      spec: {
        group: "example.com",
        scope: "Namespaced",
        names,
        versions: [{ name: "v1", served: true, storage: true, schema }],
      },
    })
    await clock.advance(1_000)
    const served = await client.discover()
    const map = await client.create(configMap, { metadata: { namespace: "default", generateName: "m-" } })
    return [
      served.some(
        ({ group, resources }) => group === "example.com" && resources.some((r) => r.kind === "Toy"),
      ),
      map.metadata.name,
      map.metadata.uid,
      map.metadata.creationTimestamp,
    ]
  }
  const first = await run()
  assert.equal((first as unknown[])[0], true)
  assert.deepEqual(await run(), first)
})

test("without controllers and scheduler there is the API alone", async () => {
  await using cluster = await startControlPlane({
    controllerManager: false,
    scheduler: false,
    port: false,
    nodes: 1,
  })
  const { client } = cluster
  assert.equal(cluster.url, undefined)
  assert.deepEqual((await client.list(serviceAccount)).items, [])
  const made = await client.create(pod, {
    metadata: { namespace: "default", name: "p" },
    spec: { containers: [container] },
  })
  assert.equal(made.spec.nodeName, undefined)
})

test("what cannot be had is refused", async () => {
  await assert.rejects(startControlPlane({ time: "system", seed: 1 } as object), {
    message: "A seed needs virtual time: the machine's gives no run again",
  })
  await assert.rejects(startControlPlane({ time: "virtual", port: 0 }), {
    message: "A port needs the machine's time: networks know no other",
  })
})
