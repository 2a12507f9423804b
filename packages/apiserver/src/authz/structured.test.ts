import assert from "node:assert/strict"
import { join } from "node:path"
import { writeFileSync } from "node:fs"
import { test } from "node:test"
import { Scope, VirtualClock } from "@knarr/base"
import type { AuthorizationAttributes, Decision } from "../contract.ts"
import { startReviewer } from "../outbound/testing.ts"
import { testEnv } from "../testing.ts"
import { askedFields, askedLabels, resourceAttributes } from "./attributes.ts"
import type { NamedAuthorizer } from "./authorizer.ts"
import { parseAuthorization } from "./config.ts"
import { StructuredAuthorization } from "./structured.ts"

const own: readonly NamedAuthorizer[] = ["node", "rbac"].map((name) => ({
  name,
  authorizer: {
    authorize: (user) => ({ verdict: user.name === name ? "allow" : "noOpinion", reason: `not ${name}` }),
  },
}))

const webhook = (configFile: string, rest = ""): string => `
  - type: Webhook
    name: outside
    webhook:
      timeout: 3s
      subjectAccessReviewVersion: v1
      matchConditionSubjectAccessReviewVersion: v1
      failurePolicy: Deny
      connectionInfo: { type: KubeConfigFile, kubeConfigFile: ${configFile} }
      matchConditions:
        - expression: has(request.resourceAttributes)
        - expression: request.resourceAttributes.namespace != 'kube-system'
${rest}`

const config = (authorizers: string): string =>
  `apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers:${authorizers}`

test("the chain is the configuration's, and a program outside is one of it", async (t) => {
  const reviewer = await startReviewer(t)
  const file = join(reviewer.dir, "authz.yaml")
  writeFileSync(file, config(`${webhook(reviewer.configFile)}  - { type: RBAC, name: rbac }\n`))
  const clock = new VirtualClock()
  const env = { ...testEnv, clock }
  await using scope = new Scope("test", { env })
  const chain = await StructuredAuthorization.start({ file }, own, env, scope)
  const pods = { verb: "list", resource: "pods", apiVersion: "v1", namespace: "default" }
  /** The file is read by the time that real events have had their turn. */
  const nextReading = async (): Promise<void> => {
    await clock.advance(10_000)
    for (let i = 0; i < 20; i++) await new Promise(setImmediate)
  }
  /** A question that was lost on its way is put again after a while, by the clock. */
  const ask = async (name: string, more: Partial<AuthorizationAttributes> = {}): Promise<Decision> => {
    let isAnswered = false
    const answer = Promise.resolve(
      chain.authorize({ name, groups: ["g"] }, resourceAttributes({ ...pods, ...more }), {}),
    ).finally(() => (isAnswered = true))
    for (let turn = 1; !isAnswered; turn++) {
      await new Promise(setImmediate)
      if (turn % 1000 === 0) await clock.advance(100)
    }
    return answer
  }
  reviewer.answer = ({ spec: { user } }) =>
    user === "eve"
      ? { allowed: true, reason: "she may" }
      : user === "mallory"
        ? { allowed: false, denied: true }
        : {}
  const selectors = {
    fieldSelector: askedFields("spec.nodeName=n"),
    labelSelector: askedLabels("a in (b),!c"),
  }
  assert.deepEqual(await ask("eve", selectors), { verdict: "allow", reason: "she may" })
  assert.deepEqual(reviewer.asked[0]!["spec"], {
    user: "eve",
    groups: ["g"],
    resourceAttributes: {
      namespace: "default",
      verb: "list",
      version: "v1",
      resource: "pods",
      fieldSelector: { requirements: [{ key: "spec.nodeName", operator: "In", values: ["n"] }] },
      labelSelector: {
        requirements: [
          { key: "a", operator: "In", values: ["b"] },
          { key: "c", operator: "DoesNotExist" },
        ],
      },
    },
  })
  assert.equal((await ask("mallory")).verdict, "deny")
  assert.equal((await ask("rbac")).verdict, "allow", "who has no opinion asks the next")
  const asked = reviewer.asked.length
  assert.equal((await ask("mallory")).verdict, "deny")
  assert.equal((await ask("mallory", { namespace: "kube-system" })).verdict, "noOpinion")
  assert.equal((await ask("eve", { isResourceRequest: false, path: "/metrics" })).verdict, "noOpinion")
  assert.equal(reviewer.asked.length, asked, "answers are kept, and conditions asked first")
  await clock.advance(30_000)
  reviewer.answer = () => 403
  const failed = await ask("mallory")
  assert.deepEqual([failed.verdict, failed.error instanceof Error], ["deny", true])

  writeFileSync(file, config("\n  - { type: Node, name: node }\n"))
  while ((await ask("node")).verdict !== "allow") await nextReading()
  assert.equal((await ask("rbac")).verdict, "noOpinion")
  writeFileSync(file, config(" []"))
  await nextReading()
  assert.equal((await ask("node")).verdict, "allow", "a wrong configuration changes nothing")
})

test("a configuration that is wrong is told in Kubernetes' words", async () => {
  for (const [authorizers, problem] of [
    [" []", /authorizers: Required value: at least one authorization mode must be defined/],
    [
      "\n  - { type: Some, name: a }",
      /authorizers\[0\].type: Unsupported value: "Some": supported values: "ABAC", "AlwaysAllow"/,
    ],
    [
      "\n  - { type: RBAC, name: a }\n  - { type: RBAC, name: b }",
      /authorizers\[1\].type: Duplicate value: "RBAC"/,
    ],
    ["\n  - { type: RBAC }", /authorizers\[0\].name: Required value/],
    ["\n  - { type: Webhook, name: a }", /webhook: Required value: required when type=Webhook/],
    [webhook("relative"), /kubeConfigFile: Invalid value: "relative": must be an absolute path/],
    [
      webhook("/nowhere", "        - expression: request.user"),
      /matchConditions\[2\].expression: Invalid value: "request.user": must evaluate to bool but got string/,
    ],
    [webhook("/nowhere").replace("3s", "31s"), /timeout: Invalid value: "31s": must be > 0s and <= 30s/],
  ] as const)
    await assert.rejects(parseAuthorization(config(authorizers)), problem)
})
