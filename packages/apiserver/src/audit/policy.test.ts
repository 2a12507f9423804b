import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { silentLogger } from "@knarr/base"
import { parseRequestInfo } from "../server/request-info.ts"
import { parsePolicy, PolicyEvaluator } from "./policy.ts"

const head = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"

/** What upstream says of policies that it does not take. */
const refused: readonly (readonly [policy: string, message: string])[] = [
  [`${head}rules: []`, "loaded illegal policy with 0 rules"],
  [`${head}rules: [{}]`, "rules[0].level: Required value"],
  [
    `${head}rules: [{level: Loud}]`,
    'rules[0].level: Unsupported value: "Loud": supported values: "None", "Metadata", "Request", "RequestResponse"',
  ],
  [
    `${head}omitStages: [Never]\nrules: [{level: None}]`,
    'omitStages[0]: Invalid value: "Never": allowed stages are RequestReceived,ResponseStarted,ResponseComplete,Panic',
  ],
  [
    `${head}rules: [{level: None, nonResourceURLs: ["a", "/*/b"]}]`,
    "[rules[0].nonResourceURLs[0]: Invalid value: \"a\": non-resource URL rules must begin with a '/' character, " +
      "rules[0].nonResourceURLs[1]: Invalid value: \"/*/b\": non-resource URL wildcards '*' must be the final character of the rule]",
  ],
  [
    `${head}rules: [{level: None, nonResourceURLs: ["/a"], namespaces: [x]}]`,
    'rules[0].nonResourceURLs: Invalid value: ["/a"]: rules cannot apply to both regular resources and non-resource URLs',
  ],
  [
    `${head}rules: [{level: None, resources: [{resourceNames: [x]}]}]`,
    'rules[0].resources.resourceNames: Invalid value: ["x"]: using resourceNames requires at least one resource',
  ],
  [
    "apiVersion: audit.k8s.io/v1beta1\nkind: Policy\nrules: [{level: None}]",
    'failed decoding: no kind "Policy" is registered for version "audit.k8s.io/v1beta1"',
  ],
]

const alice = { name: "alice", groups: ["developers"] }

/** A rule, a request of alice, and whether the one is about the other. */
const matching: readonly (readonly [rule: string, method: string, path: string, matches: boolean])[] = [
  ["users: [alice]", "GET", "/api/v1/pods", true],
  ["users: [bob]", "GET", "/api/v1/pods", false],
  ["userGroups: [developers, others]", "GET", "/x", true],
  ["verbs: [list]", "GET", "/api/v1/pods", true],
  ["verbs: [watch]", "GET", "/api/v1/pods", false],
  ["namespaces: [a]", "GET", "/api/v1/namespaces/a/pods", true],
  ['namespaces: [""]', "GET", "/api/v1/nodes", true],
  ['namespaces: [""]', "GET", "/healthz", false],
  ['resources: [{group: ""}]', "GET", "/api/v1/pods", true],
  ['resources: [{group: ""}]', "GET", "/apis/apps/v1/deployments", false],
  ['resources: [{group: "*", resources: [deployments]}]', "GET", "/apis/apps/v1/deployments", true],
  ["resources: [{resources: [pods]}]", "GET", "/api/v1/namespaces/a/pods/p/log", false],
  ["resources: [{resources: [pods/log]}]", "GET", "/api/v1/namespaces/a/pods/p/log", true],
  ['resources: [{resources: ["pods/*"]}]', "GET", "/api/v1/namespaces/a/pods/p/log", true],
  ['resources: [{resources: ["*/log"]}]', "GET", "/api/v1/namespaces/a/pods/p/log", true],
  ['resources: [{resources: ["*/log"]}]', "GET", "/api/v1/namespaces/a/pods/p", false],
  ['resources: [{resources: ["*"]}]', "GET", "/api/v1/namespaces/a/pods/p/log", true],
  ["resources: [{resources: [pods], resourceNames: [p]}]", "GET", "/api/v1/namespaces/a/pods/p", true],
  ["resources: [{resources: [pods], resourceNames: [p]}]", "GET", "/api/v1/namespaces/a/pods/q", false],
  ['nonResourceURLs: ["/healthz*"]', "GET", "/healthz/ping", true],
  ['nonResourceURLs: ["/healthz"]', "GET", "/healthz/ping", false],
  ['nonResourceURLs: ["*"]', "GET", "/api/v1/pods", false],
]

describe("The audit policy", () => {
  for (const [policy, message] of refused)
    it(`is refused: ${message}`, () => assert.rejects(parsePolicy(policy, silentLogger), { message }))

  for (const [rule, method, path, matches] of matching)
    it(`{${rule}} is ${matches ? "" : "not "}about ${method} ${path}`, async () => {
      const policy = await parsePolicy(`${head}rules: [{level: Request, ${rule}}]`, silentLogger)
      const info = parseRequestInfo(method, path, new URLSearchParams())
      assert.equal(new PolicyEvaluator(policy).evaluate(alice, info).level, matches ? "Request" : "None")
    })

  it("leaves out the stages that it and the rule name, and the rule says whether managed fields count", async () => {
    const policy = await parsePolicy(
      `${head}omitStages: [Panic]\nomitManagedFields: true\nrules:\n` +
        "- {level: Metadata, users: [alice], omitStages: [RequestReceived], omitManagedFields: false}",
      silentLogger,
    )
    const evaluator = new PolicyEvaluator(policy)
    const info = parseRequestInfo("GET", "/api/v1/pods", new URLSearchParams())
    const { omitStages, omitManagedFields } = evaluator.evaluate(alice, info)
    assert.deepEqual([[...omitStages].sort(), omitManagedFields], [["Panic", "RequestReceived"], false])
    const other = evaluator.evaluate(undefined, info)
    assert.deepEqual([other.level, [...other.omitStages], other.omitManagedFields], ["None", ["Panic"], true])
  })
})
