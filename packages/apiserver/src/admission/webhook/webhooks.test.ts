import assert from "node:assert/strict"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { after, before, beforeEach, describe, it } from "node:test"
import {
  configMap,
  horizontalPodAutoscalerV1,
  mutatingWebhookConfiguration,
  namespace,
  validatingWebhookConfiguration,
} from "@knarr/api"
import type { KubeObject } from "@knarr/apimachinery"
import type { ControlPlane } from "../../control-plane.ts"
import { refusalMessage, testCertificates, testEnv, withTestPlane } from "../../testing.ts"

interface Request {
  readonly uid: string
  readonly operation: string
  readonly kind: { readonly version: string }
  readonly requestKind: { readonly version: string }
  readonly object: (KubeObject & { data?: Record<string, string> }) | null
  readonly dryRun: boolean
}
type Hook = (request: Request) => object

const certificates = testCertificates()
const asked: (Request & { path: string })[] = []
const hooks = new Map<string, Hook>()
const server = createServer(
  { cert: certificates.server.cert, key: certificates.server.key },
  (request, response) => {
    let text = ""
    request.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
    request.on("end", () => {
      const path = new URL(request.url!, "https://x").pathname
      const review = JSON.parse(text) as { request: Request }
      asked.push({ ...review.request, path })
      const hook = hooks.get(path)
      if (!hook) return void request.socket.destroy()
      if (hook === silent) return
      response.end(
        JSON.stringify({ ...review, response: { uid: review.request.uid, ...hook(review.request) } }),
      )
    })
  },
)
let port = 0
before(async () => {
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  port = (server.address() as AddressInfo).port
})
after(() => {
  server.closeAllConnections()
  server.close()
})
beforeEach(() => {
  asked.length = 0
  hooks.clear()
})

const allowed = (): object => ({ allowed: true })
/** It never answers. */
const silent: Hook = allowed.bind(undefined)
const patch = (...operations: object[]): object => ({
  allowed: true,
  patchType: "JSONPatch",
  patch: Buffer.from(JSON.stringify(operations)).toString("base64"),
})
const setData =
  (key: string, value: string): Hook =>
  ({ object }) =>
    patch(...(object?.data ? [] : [{ op: "add", path: "/data", value: {} }]), {
      op: "add",
      path: `/data/${key}`,
      value,
    })

const configMaps = {
  operations: ["CREATE", "UPDATE"],
  apiGroups: [""],
  apiVersions: ["v1"],
  resources: ["configmaps"],
}

const webhook = (path: string, more: object = {}): never =>
  ({
    name: `${path}.example.com`,
    admissionReviewVersions: ["v1"],
    sideEffects: "None",
    clientConfig: {
      url: `https://localhost:${port}/${path}`,
      caBundle: Buffer.from(certificates.ca.cert).toString("base64"),
    },
    rules: [configMaps],
    ...more,
  }) as never

const withPlane = (run: (plane: ControlPlane) => Promise<void>): Promise<void> =>
  withTestPlane(run, { env: testEnv })

async function configure(
  plane: ControlPlane,
  what: "mutating" | "validating",
  ...webhooks: never[]
): Promise<void> {
  const kind = what === "mutating" ? mutatingWebhookConfiguration : validatingWebhookConfiguration
  await plane.client().create(
    kind as typeof mutatingWebhookConfiguration,
    {
      metadata: { name: what },
      webhooks,
    } as never,
  )
}

const made = (name: string, more: object = {}): never =>
  ({ metadata: { name, namespace: "default" }, ...more }) as never

describe("webhooks", () => {
  it("refuse what they do not allow, in their words and with their code", async () => {
    await withPlane(async (plane) => {
      hooks.set("/strict", ({ object }) =>
        object?.data?.bad
          ? {
              allowed: false,
              status: { code: 418, message: "no bad data", reason: "Teapot" },
              warnings: ["mind it"],
            }
          : allowed(),
      )
      await configure(plane, "validating", webhook("strict"))
      const client = plane.client()
      await client.create(configMap, made("good"))
      await assert.rejects(client.create(configMap, made("bad", { data: { bad: "1" } })), {
        code: 418,
        message: 'admission webhook "strict.example.com" denied the request: no bad data',
      })
      assert.deepEqual(
        asked.map(({ operation, dryRun }) => [operation, dryRun]),
        [
          ["CREATE", false],
          ["CREATE", false],
        ],
      )
    })
  })

  it("change what is stored, one after the other, and look again when they asked for that", async () => {
    await withPlane(async (plane) => {
      hooks.set("/first", (request) =>
        setData("first", request.object?.data?.second ? "saw second" : "was first")(request),
      )
      hooks.set("/second", setData("second", "here"))
      await configure(
        plane,
        "mutating",
        webhook("first", { reinvocationPolicy: "IfNeeded" }),
        webhook("second"),
      )
      const stored = await plane.client().create(configMap, made("one"))
      assert.deepEqual(stored.data, { first: "saw second", second: "here" })
      assert.deepEqual(
        asked.map(({ path }) => path),
        ["/first", "/second", "/first"],
      )
    })
  })

  it("that fail stop the request, or are passed over, as they are configured", async () => {
    await withPlane(async (plane) => {
      await configure(plane, "validating", webhook("gone", { failurePolicy: "Ignore" }))
      await plane.client().create(configMap, made("one"))
      await plane
        .client()
        .patch(validatingWebhookConfiguration, { name: "validating" }, "json", [
          { op: "replace", path: "/webhooks/0/failurePolicy", value: "Fail" },
        ])
      const message = await refusalMessage(plane.client().create(configMap, made("two")))
      assert.match(
        message!,
        /^Internal error occurred: failed calling webhook "gone\.example\.com": failed to call webhook: Post "https:\/\/localhost:/,
      )
    })
  })

  it("that do not answer in time are told of in the words that clients know", async () => {
    await withPlane(async (plane) => {
      hooks.set("/slow", silent)
      await configure(plane, "validating", webhook("slow", { timeoutSeconds: 1 }))
      assert.match(
        (await refusalMessage(plane.client().create(configMap, made("late"))))!,
        /^Internal error occurred: failed calling webhook "slow\.example\.com": failed to call webhook: Post "https:\/\/localhost:\d+\/slow\?timeout=1s": context deadline exceeded$/,
      )
    })
  })

  it("are asked for what their rules, selectors and conditions say, and never about what configures them", async () => {
    await withPlane(async (plane) => {
      const client = plane.client()
      await client.create(namespace, { metadata: { name: "watched", labels: { watch: "yes" } } } as never)
      hooks.set("/all", allowed)
      await configure(
        plane,
        "validating",
        webhook("all", {
          rules: [
            {
              operations: ["*"],
              apiGroups: ["*"],
              apiVersions: ["*"],
              resources: ["*"],
              scope: "Namespaced",
            },
          ],
          namespaceSelector: { matchLabels: { watch: "yes" } },
          objectSelector: { matchExpressions: [{ key: "skip", operator: "DoesNotExist" }] },
          matchConditions: [
            { name: "not-quiet", expression: "!object.metadata.name.startsWith('quiet')" },
            {
              name: "may",
              expression: "authorizer.group('').resource('configmaps').check('create').allowed()",
            },
          ],
        }),
      )
      const at = (name: string, labels: object = {}): never =>
        ({ metadata: { name, namespace: "watched", labels } }) as never
      await client.create(configMap, made("elsewhere"))
      await client.create(configMap, at("seen"))
      await client.create(configMap, at("skipped", { skip: "me" }))
      await client.create(configMap, at("quiet-one"))
      await client.patch(validatingWebhookConfiguration, { name: "validating" }, "merge", {
        metadata: { labels: { a: "b" } },
      })
      assert.deepEqual(
        asked.map(({ object }) => object?.metadata.name),
        ["seen"],
      )
    })
  })

  it("see the version that they know, of whatever version was asked for", async () => {
    await withPlane(async (plane) => {
      hooks.set("/scalers", ({ object }) =>
        patch({
          op: "replace",
          path: "/spec/maxReplicas",
          value: (object as { spec?: { metrics?: [] } }).spec?.metrics ? 7 : 1,
        }),
      )
      await configure(
        plane,
        "mutating",
        webhook("scalers", {
          rules: [
            {
              operations: ["CREATE"],
              apiGroups: ["autoscaling"],
              apiVersions: ["v2"],
              resources: ["horizontalpodautoscalers"],
            },
          ],
        }),
      )
      const stored = await plane.client().create(
        horizontalPodAutoscalerV1,
        made("one", {
          spec: {
            maxReplicas: 3,
            targetCPUUtilizationPercentage: 50,
            scaleTargetRef: { kind: "Deployment", name: "d", apiVersion: "apps/v1" },
          },
        }),
      )
      assert.deepEqual(
        asked.map(({ kind, requestKind }) => [kind.version, requestKind.version]),
        [["v2", "v1"]],
      )
      assert.equal((stored as { spec: { maxReplicas: number } }).spec.maxReplicas, 7)
    })
  })

  it("with side effects stand in the way of a dry run", async () => {
    await withPlane(async (plane) => {
      hooks.set("/effects", allowed)
      await configure(plane, "validating", webhook("effects", { sideEffects: "NoneOnDryRun" }))
      await plane.client().create(configMap, made("dry"), { dryRun: true })
      assert.deepEqual(
        asked.map(({ dryRun }) => dryRun),
        [true],
      )
    })
  })
})
