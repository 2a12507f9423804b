/** Policies and webhooks from files; what is refused, a published API server refused in the same words. */
import assert from "node:assert/strict"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test, type TestContext } from "node:test"
import { configMap, validatingAdmissionPolicy, validatingWebhookConfiguration } from "@knarr/api"
import { messageOf, Meter, seededRandom, silentLogger, VirtualClock } from "@knarr/base"
import { createMemoryStore } from "@knarr/store"
import type { ControlPlane } from "../control-plane.ts"
import { refusalMessage, withTestPlane } from "../testing.ts"

const policy = (name: string, word: string, more: object = {}): object => ({
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "ValidatingAdmissionPolicy",
  metadata: { name },
  spec: {
    matchConstraints: {
      resourceRules: [
        {
          apiGroups: ["", "admissionregistration.k8s.io"],
          apiVersions: ["*"],
          operations: ["CREATE"],
          resources: ["configmaps", "validatingwebhookconfigurations"],
        },
      ],
    },
    validations: [{ expression: `object.metadata.name != '${word}'`, message: "no bad names" }],
    ...more,
  },
})
const binding = (name: string, policyName = name): object => ({
  metadata: { name },
  spec: { policyName, validationActions: ["Deny"] },
})
const bindings = (...items: object[]): object => ({
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "ValidatingAdmissionPolicyBindingList",
  items,
})
const webhook = (clientConfig: object): object => ({
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "ValidatingWebhookConfiguration",
  metadata: { name: "w.static.k8s.io" },
  webhooks: [{ name: "a.example.com", admissionReviewVersions: ["v1"], sideEffects: "None", clientConfig }],
})

interface Room {
  readonly clock: VirtualClock
  write(...documents: object[]): void
  run(use: (plane: ControlPlane) => Promise<void>): Promise<void>
}

function room(t: TestContext, plugin = "ValidatingAdmissionPolicy", kind = `${plugin}Configuration`): Room {
  const dir = mkdtempSync(join(tmpdir(), "knarr-manifests-"))
  t.after(() => rmSync(dir, { recursive: true }))
  const staticManifestsDir = join(dir, "manifests")
  mkdirSync(staticManifestsDir)
  const configFile = join(dir, "admission.yaml")
  const configuration = { apiVersion: "apiserver.config.k8s.io/v1", kind, staticManifestsDir }
  writeFileSync(
    configFile,
    JSON.stringify({
      apiVersion: "apiserver.config.k8s.io/v1",
      kind: "AdmissionConfiguration",
      plugins: [{ name: plugin, configuration }],
    }),
  )
  const clock = new VirtualClock()
  const env = { clock, random: seededRandom(1), log: silentLogger, meter: new Meter() }
  return {
    clock,
    write: (...documents) =>
      writeFileSync(
        join(staticManifestsDir, "all.yaml"),
        documents.map((one) => JSON.stringify(one)).join("\n---\n"),
      ),
    run: (use) => withTestPlane(use, { env, store: createMemoryStore({ env }), admission: { configFile } }),
  }
}

const name = "names.static.k8s.io"

test("policies in files judge what configures admission, too, and are read again", async (t) => {
  const { write, run, clock } = room(t)
  write(policy(name, "bad"), bindings(binding(name)))
  await run(async (plane) => {
    const client = plane.client()
    const create = (called: string): Promise<string | undefined> =>
      refusalMessage(client.create(configMap, { metadata: { namespace: "default", name: called } }))
    const denied = `ValidatingAdmissionPolicy '${name}' with binding '${name}' denied request: no bad names`
    assert.equal(await create("bad"), `configmaps "bad" is forbidden: ${denied}`)
    assert.equal(await create("good"), undefined)
    assert.match(
      (await refusalMessage(client.create(validatingWebhookConfiguration, { metadata: { name: "bad" } })))!,
      /denied request: no bad names$/,
    )
    assert.deepEqual((await client.list(validatingAdmissionPolicy)).items, [])

    // What is wrong later leaves what there was.
    write(policy("wrong", "worse"))
    await clock.advance(61_000)
    assert.equal(await create("bad"), `configmaps "bad" is forbidden: ${denied}`)
    write(policy(name, "worse"), bindings(binding(name)))
    await clock.advance(61_000)
    while ((await create("bad")) !== undefined) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(await create("worse"), `configmaps "worse" is forbidden: ${denied}`)
  })
})

test("a server does not start with what is wrong in its files", async (t) => {
  const policies = room(t)
  const webhooks = room(t, "ValidatingAdmissionWebhook", "WebhookAdmissionConfiguration")
  const failed = async ({ write, run }: Room, ...documents: object[]): Promise<string> => {
    write(...documents)
    return run(async () => {}).then(
      () => "started",
      (thrown) =>
        messageOf(thrown)
          .replace(/"[^"]*manifests(\/all\.yaml)?"/g, "…")
          .replace(/\S+all\.yaml/g, "…"),
    )
  }
  const load = (kind: string): string => `failed to load static ${kind} manifests from …: error loading …: `
  const cases: readonly (readonly [room: Room, documents: object[], message: string])[] = [
    [
      policies,
      [policy("a", "x", { matchConstraints: undefined })],
      `${load("policy")}ValidatingAdmissionPolicy "a": spec.matchConstraints: Required value`,
    ],
    [
      policies,
      [policy("a", "x")],
      `${load("policy")}"a" in file … must have a name ending with ".static.k8s.io"`,
    ],
    [
      policies,
      [policy(name, "x", { nope: 1 })],
      `${load("policy")}strict decoding error: unknown field "spec.nope"`,
    ],
    [
      policies,
      [bindings(binding("a.static.k8s.io", "b.static.k8s.io"))],
      'failed to load static policy manifests from …: binding "a.static.k8s.io" references policy "b.static.k8s.io" which does not exist in the manifest directory',
    ],
    [
      policies,
      [{ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" } }],
      `${load("policy")}no kind "ConfigMap" is registered for version "v1"`,
    ],
    [
      webhooks,
      [webhook({ service: { name: "s", namespace: "n", path: "/", port: 443 } })],
      `${load("webhook")}webhook "a.example.com" in "w.static.k8s.io" (file …): clientConfig.service is not supported for static manifests; use clientConfig.url instead`,
    ],
    [webhooks, [webhook({ url: "https://a/b" })], "started"],
  ]
  for (const [where, documents, message] of cases) assert.equal(await failed(where, ...documents), message)
})
