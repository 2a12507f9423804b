import assert from "node:assert/strict"
import { test } from "node:test"
import {
  configMap as configMapKind,
  namespace as namespaceKind,
  secret as secretKind,
  service as serviceKind,
  type Container,
  type Pod,
} from "@knarr/api"
import type { ObjectReader } from "../contract.ts"
import { createObjectReader } from "../objects/object-reader.ts"
import { withPlane } from "../status/plane.test.ts"
import { containerEnv } from "./container-env.ts"

const there = { namespace: "d", name: "there" }

/** The objects of the tests, as a kubelet reads them from the API. */
async function withObjects(run: (objects: ObjectReader) => Promise<void>): Promise<void> {
  await withPlane(async ({ env, scope, client }) => {
    await client.create(namespaceKind, { metadata: { name: "d" }, spec: {} })
    const data = { A: "from-map", B: "b" }
    await client.create(configMapKind, { metadata: there, data })
    const secret = { PASSWORD: Buffer.from("s3cret").toString("base64") }
    await client.create(secretKind, { metadata: there, data: secret })
    const spec = { clusterIP: "10.96.0.7", ports: [{ port: 5432 }] }
    await client.create(serviceKind, { metadata: { namespace: "d", name: "db" }, spec })
    const objects = createObjectReader({ env, scope, client })
    await objects.servicesSynced(scope.signal)
    await run(objects)
  })
}

async function envOf(
  objects: ObjectReader,
  container: Partial<Container>,
  spec: Partial<Pod["spec"]> = {},
): Promise<Record<string, string>> {
  const full = { name: "app", ...container }
  const pod = {
    metadata: {
      name: "p",
      namespace: "d",
      uid: "u",
      labels: { app: "x", tier: "y" },
      annotations: { "a/b": "c" },
    },
    spec: { serviceAccountName: "robot", containers: [full], ...spec },
    status: {},
  } as unknown as Pod
  const env = await containerEnv(pod, full, {
    objects,
    context: {
      nodeName: "n1",
      hostIPs: ["1.1.1.1"],
      podIPs: ["2.2.2.2", "fd00::2"],
      allocatable: { memory: "1Gi" },
    },
    readFile: async (_, path) => (path === "vars" ? "ONE='1'\nTWO='2'\n" : undefined),
    signal: new AbortController().signal,
  })
  return Object.fromEntries(env)
}

test("containerEnv: values, references, fields, resources and services", () =>
  withObjects(async (objects) => {
    const env = await envOf(objects, {
      envFrom: [
        { configMapRef: { name: "there" }, prefix: "P_" },
        { configMapRef: { name: "there" }, prefix: "not a name=" },
        { secretRef: { name: "none", optional: true } },
      ],
      env: [
        { name: "FIRST", value: "1" },
        { name: "SECOND", value: "$(FIRST)-$(P_B)-$(LATER)-$(DB_SERVICE_PORT)" },
        { name: "LATER", value: "2" },
        { name: "P_A", value: "own" },
        { name: "SECRET", valueFrom: { secretKeyRef: { name: "there", key: "PASSWORD" } } },
        { name: "ABSENT", valueFrom: { configMapKeyRef: { name: "there", key: "zzz", optional: true } } },
        { name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
        { name: "IPS", valueFrom: { fieldRef: { fieldPath: "status.podIPs" } } },
        { name: "TIER", valueFrom: { fieldRef: { fieldPath: "metadata.labels['tier']" } } },
        { name: "MEMORY", valueFrom: { resourceFieldRef: { resource: "limits.memory", divisor: "1Mi" } } },
        { name: "FILE", valueFrom: { fileKeyRef: { volumeName: "v", path: "vars", key: "TWO" } } },
        { name: "EMPTY" },
      ],
    })
    for (const [name, value] of Object.entries({
      P_A: "own",
      P_B: "b",
      SECOND: "1-b-$(LATER)-5432",
      SECRET: "s3cret",
      POD: "p",
      IPS: "2.2.2.2,fd00::2",
      TIER: "y",
      MEMORY: "1024",
      FILE: "2",
      EMPTY: "",
      KUBERNETES_SERVICE_HOST: "10.96.0.1",
      KUBERNETES_SERVICE_PORT_HTTPS: "443",
      DB_SERVICE_HOST: "10.96.0.7",
    }))
      assert.equal(env[name], value, name)
    assert.equal("ABSENT" in env, false)
    assert.equal("not a name=A" in env, false)
  }))

test("containerEnv: service links can be off, but for the API's own", () =>
  withObjects(async (objects) => {
    const env = await envOf(objects, {}, { enableServiceLinks: false })
    assert.equal(env["KUBERNETES_SERVICE_PORT"], "443")
    assert.equal("DB_SERVICE_HOST" in env, false)
  }))

test("containerEnv: what is missing is an error in upstream's words", () =>
  withObjects(async (objects) => {
    const cases: readonly (readonly [Partial<Container>, string])[] = [
      [{ envFrom: [{ configMapRef: { name: "none" } }] }, 'configmap "none" not found'],
      [{ envFrom: [{ secretRef: { name: "none" } }] }, 'secret "none" not found'],
      [
        { env: [{ name: "X", valueFrom: { configMapKeyRef: { name: "there", key: "k" } } }] },
        "couldn't find key k in ConfigMap d/there",
      ],
      [
        { env: [{ name: "X", valueFrom: { secretKeyRef: { name: "there", key: "k" } } }] },
        "couldn't find key k in Secret d/there",
      ],
    ]
    for (const [container, message] of cases) await assert.rejects(envOf(objects, container), { message })
  }))
