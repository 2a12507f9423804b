import assert from "node:assert/strict"
import { request } from "node:https"
import { describe, it, test } from "node:test"
import { configMap, selfSubjectRulesReview, type SelfSubjectRulesReview } from "@knarr/api"
import { CancelledError, Scope, deferred } from "@knarr/base"
import type { Authorizer, Decision } from "../contract.ts"
import { refusalMessage, testCertificates, testEnv, withTestPlane, startTestServer } from "../testing.ts"
import { resourceAttributes } from "./attributes.ts"
import { createAuthorizer, type NamedAuthorizer } from "./authorizer.ts"

const eve = { name: "eve", groups: ["devs"] }
const asked = resourceAttributes({ verb: "get", resource: "pods" })
const chain = (decisions: readonly (Decision | Promise<Decision>)[]): Required<Authorizer> =>
  createAuthorizer(
    decisions.map((decision, i) => ({ name: `a${i}`, authorizer: { authorize: () => decision } })),
  )
const allow: Decision = { verdict: "allow", reason: "yes" }
const deny: Decision = { verdict: "deny", reason: "never" }
const silent: Decision = { verdict: "noOpinion", reason: "" }
const unsure = (reason: string, error?: string): Decision => ({
  verdict: "noOpinion",
  reason,
  ...(error === undefined ? {} : { error: new Error(error) }),
})

describe("a chain of authorizers", () => {
  const rows: [name: string, decisions: Decision[], verdict: string, reason: string, error?: string][] = [
    ["without anybody has no opinion", [], "noOpinion", ""],
    ["stops at who allows", [silent, allow, deny], "allow", "yes"],
    ["stops at who denies", [unsure("hm"), deny, allow], "deny", "never"],
    ["collects reasons", [unsure("one"), silent, unsure("two")], "noOpinion", "a0: one\na2: two"],
    ["collects errors", [unsure("", "x"), unsure("", "y")], "noOpinion", "", "[x, y]"],
    ["forgets errors before an opinion", [unsure("", "x"), allow], "allow", "yes"],
  ]
  for (const [name, decisions, verdict, reason, error] of rows) {
    it(name, async () => {
      const now = chain(decisions).authorize(eve, asked, {})
      assert.ok(!(now instanceof Promise))
      const later = chain(decisions.map((decision) => Promise.resolve(decision))).authorize(eve, asked, {})
      for (const said of [now, await later])
        assert.deepEqual([said.verdict, said.reason, said.error?.message], [verdict, reason, error])
    })
  }

  it("waits no longer than the request", async () => {
    const stop = new AbortController()
    const never = deferred<Decision>()
    const answer = chain([never.promise, allow]).authorize(eve, asked, stop)
    stop.abort(new CancelledError("gone"))
    await assert.rejects(async () => answer, CancelledError)
  })

  it("has one authorizer of each name", () => {
    const authorizer: Authorizer = { authorize: () => silent }
    const named = (...names: string[]) => names.map((name) => ({ name, authorizer }))
    assert.throws(() => createAuthorizer(named("a", "b", "a")), /two are called "a"/)
    assert.throws(() => createAuthorizer(named("")), /has no name/)
  })
})

test("an authorizer that waits is asked by the loopback client, with the selectors of a list", async () => {
  const seen: string[] = []
  const slow: Authorizer = {
    async authorize(user, a) {
      await Promise.resolve()
      const fields = a.fieldSelector?.requirements.map(({ field, value }) => `${field}=${value}`)
      const labels = a.labelSelector?.requirements.map(({ key }) => key)
      seen.push([user.name, a.verb, a.apiVersion, a.resource, fields, labels].filter(Boolean).join(" "))
      return user.name === "carol" ? allow : a.verb === "watch" ? deny : silent
    },
  }
  const authorizers = (own: readonly NamedAuthorizer[]): readonly NamedAuthorizer[] => [
    { name: "slow", authorizer: slow },
    ...own,
  ]
  await withTestPlane(
    async (plane) => {
      const carol = plane.client({ name: "carol", groups: [] })
      const list = { namespace: "default", labelSelector: "app", fieldSelector: "metadata.name=a" }
      assert.deepEqual((await carol.list(configMap, list)).items, [])
      assert.equal(
        await refusalMessage(plane.client(eve).get(configMap, { namespace: "default", name: "a" })),
        'configmaps "a" is forbidden: User "eve" cannot get resource "configmaps" in API group "" in the namespace "default"',
      )
      assert.deepEqual(seen, ["carol list v1 configmaps metadata.name=a app", "eve get v1 configmaps"])
    },
    { authorizers },
  )
})

test("over HTTP: who waits is heard, who never answers ends in time, who fails is a 500 in Kubernetes' words", async () => {
  const certificates = testCertificates()
  const client = certificates.client("eve", "devs")
  await using scope = new Scope("test", { env: testEnv })
  const slow: Authorizer = {
    async authorize(_user, { name }) {
      await Promise.resolve()
      if (name === "broken") throw new Error("no <answer>")
      if (name === "unsure") return unsure("", "cannot say")
      if (name === "never") return new Promise(() => {})
      return name === "denied" ? deny : allow
    },
  }
  const server = await startTestServer(scope, certificates, {
    shutdownGraceSeconds: 0,
    authorizers: () => [{ name: "slow", authorizer: slow }],
  })
  const ask = (path: string): Promise<{ status: number; text: string }> =>
    new Promise((resolve, reject) => {
      const { cert, key } = client
      const options = { host: "127.0.0.1", port: server.port, path, ca: certificates.ca.cert, cert, key }
      request({ ...options, agent: false }, (response) => {
        let text = ""
        response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
        response.on("end", () => resolve({ status: response.statusCode!, text }))
      })
        .on("error", reject)
        .end()
    })
  const path = "/api/v1/namespaces/default/configmaps"
  assert.equal((await ask(`${path}/there`)).status, 404)
  const denied = await ask(`${path}/denied`)
  assert.equal(denied.status, 403)
  assert.match(denied.text, /cannot get resource .* in the namespace .*default.*: never/)
  assert.deepEqual(await ask(`${path}/broken`), {
    status: 500,
    text: `Internal Server Error: "${path}/broken": no &lt;answer&gt;\n`,
  })
  assert.deepEqual(await ask(`${path}/unsure`), {
    status: 500,
    text: `Internal Server Error: "${path}/unsure": cannot say\n`,
  })
  assert.equal((await ask(`${path}/never?timeout=1ms`)).status, 504)
})

test("the rules of a node are not all told, and its review says so", async () => {
  await withTestPlane(async (plane) => {
    const review = async (user: typeof eve): Promise<SelfSubjectRulesReview["status"]> => {
      const client = plane.client({ ...user, groups: [...user.groups, "system:authenticated"] })
      const answer = await client.create(selfSubjectRulesReview, { metadata: {}, spec: { namespace: "x" } })
      return answer.status
    }
    const node = await review({ name: "system:node:n1", groups: ["system:nodes"] })
    assert.equal(node.incomplete, true)
    assert.equal(node.evaluationError, "node authorizer does not support user rule resolution")
    const other = await review(eve)
    assert.equal(other.incomplete, false)
    assert.equal(other.evaluationError, undefined)
  })
})
