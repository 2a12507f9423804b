/** What a published API server with the same configuration of its plugins (testdata/configured.yaml) said. */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { kinds, pod, runtimeClass, serviceAccount } from "@knarr/api"
import { messageOf } from "@knarr/base"
import { loopbackUser } from "../authn/users.ts"
import { createLoopbackClient } from "../loopback-client.ts"
import { withTestPlane } from "../testing.ts"
import { readPodSecurityConfiguration } from "./pod-security-configuration.ts"
import { readLimitedResources } from "./resource-quota-limits.ts"

interface Step {
  readonly method: "POST" | "PATCH"
  readonly path: string
  readonly body: { readonly metadata: { readonly name?: string } }
  readonly as?: string
  readonly answer: { readonly message?: string; readonly warnings: readonly string[] }
}

const testdata = (name: string): URL => new URL(`testdata/${name}`, import.meta.url)
const steps = JSON.parse(readFileSync(testdata("configured.json"), "utf8")) as readonly Step[]

test("levels, exemptions and what nobody uses without a quota are the operator's", async () => {
  const configFile = testdata("configured.yaml").pathname
  await withTestPlane(
    async (plane) => {
      await plane.client().create(runtimeClass, { metadata: { name: "sandboxed" }, handler: "h" } as never)
      for (const { method, path, body, as, answer } of steps) {
        const warnings: string[] = []
        const client = createLoopbackClient({
          registry: plane.registry,
          user: as === undefined ? loopbackUser : { ...loopbackUser, name: as },
          onWarning: (text) => void warnings.push(text),
        })
        const parts = path.split("/").filter((part) => part !== "")
        const at = parts.indexOf("namespaces")
        const namespace = parts[at + 2] === undefined ? undefined : parts[at + 1]
        const plural = method === "PATCH" || namespace === undefined ? "namespaces" : parts[at + 2]
        const kind = kinds.find((one) => one.plural === plural && parts.slice(1).includes(one.version))!
        if (plural === "pods") {
          const account = { metadata: { namespace, name: "default" } }
          await plane
            .client()
            .create(serviceAccount, account)
            .catch(() => {})
        }
        const object = { ...body, metadata: { ...body.metadata, namespace } }
        const done =
          method === "POST"
            ? client.create(kind, object as never)
            : client.patch(kind, { name: parts[at + 1]! }, "merge", body)
        const message = await done.then(() => undefined, messageOf)
        const what = `${path} ${body.metadata.name}`
        assert.equal(message, answer.message, what)
        // A client in the process hears none of what fails.
        if (message === undefined) assert.deepEqual(warnings, answer.warnings, what)
      }
    },
    { admission: { configFile } },
  )
})

test("pods stay on lost nodes as long as the operator says", async () => {
  await withTestPlane(
    async (plane) => {
      const { spec } = await plane.client().create(pod, {
        metadata: { namespace: "default", name: "a" },
        spec: { containers: [{ name: "c", image: "i" }] },
      })
      assert.deepEqual(
        spec.tolerations?.map(({ key, tolerationSeconds }) => [key, tolerationSeconds]),
        [
          ["node.kubernetes.io/not-ready", 300],
          ["node.kubernetes.io/unreachable", 30],
        ],
      )
    },
    { admission: { disable: ["ServiceAccount"], tolerationSeconds: { unreachable: 30 } } },
  )
})

test("what is wrong with a configuration is told", () => {
  const security = (fields: object): object => ({
    apiVersion: "pod-security.admission.config.k8s.io/v1",
    kind: "PodSecurityConfiguration",
    ...fields,
  })
  const cases: readonly (readonly [read: () => unknown, message: string])[] = [
    [
      () => readPodSecurityConfiguration(security({ defaults: { enforce: "x", "warn-version": "1" } })),
      '[defaults.enforce: Invalid value: "x": must be one of privileged, baseline, restricted, defaults.warn-version: Invalid value: "1": must be "latest" or "v1.x"]',
    ],
    [
      () => readPodSecurityConfiguration(security({ exemptions: { usernames: ["", "a", "a"] } })),
      '[exemptions.usernames[0]: Invalid value: "": username must not be empty, exemptions.usernames[2]: Duplicate value: "a"]',
    ],
    [
      () =>
        readLimitedResources({
          apiVersion: "resourcequota.admission.k8s.io/v1beta1",
          kind: "Configuration",
          limitedResources: [{ matchContains: ["a"] }],
        }),
      "limitedResources[0].resource: Required value",
    ],
  ]
  for (const [read, message] of cases) assert.throws(read, { message })
})
