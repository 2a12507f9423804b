import assert from "node:assert/strict"
import { connect, type ClientHttp2Session } from "node:http2"
import { describe, it } from "node:test"
import { flowSchema, kinds, priorityLevelConfiguration } from "@knarr/api"
import { Meter, Scope, createPrivateKeyPem } from "@knarr/base"
import { createMemoryStore } from "@knarr/store"
import { startApiServer } from "../api-server.ts"
import { testCertificates, testEnv } from "../testing.ts"

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: string
}

function get(session: ClientHttp2Session, path: string, token: string): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const stream = session.request({ ":path": path, authorization: `Bearer ${token}` })
  let headers: Record<string, unknown> = {}
  let body = ""
  stream.on("response", (given) => (headers = { ...given }))
  stream.on("data", (chunk: Buffer) => (body += chunk.toString()))
  stream.on("error", reject)
  stream.on("end", () => resolve({ status: Number(headers[":status"]), headers, body }))
  stream.end()
  return promise
}

describe("Priority and fairness of requests", () => {
  it("is told in headers, refuses whom it has no seat for, and shows itself to who debugs", async () => {
    const certificates = testCertificates()
    await using scope = new Scope("test")
    const env = { ...testEnv, meter: new Meter() }
    const server = await startApiServer({
      env,
      scope,
      store: scope.use(createMemoryStore({ env })),
      kinds,
      bindAddresses: ["127.0.0.1"],
      port: 0,
      certificates: { ...certificates.server, clientCA: certificates.ca.cert },
      serviceAccounts: { signingKey: createPrivateKeyPem(), issuers: ["https://kubernetes.default.svc"] },
      shutdownGraceSeconds: 0.2,
      staticTokens: new Map([
        ["admin", { name: "admin", groups: ["system:masters"] }],
        ["alice", { name: "alice", groups: [] }],
      ]),
    })
    const client = server.client()
    const level = await client.create(priorityLevelConfiguration, {
      metadata: { name: "none" },
      spec: {
        type: "Limited",
        limited: {
          nominalConcurrencyShares: 0,
          borrowingLimitPercent: 0,
          limitResponse: { type: "Reject" },
        },
      },
    })
    const rules = [
      {
        subjects: [{ kind: "User", user: { name: "alice" } }],
        nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["/version"] }],
        resourceRules: [
          { verbs: ["*"], apiGroups: ["*"], resources: ["*"], namespaces: ["*"], clusterScope: true },
        ],
      },
    ]
    const schema = await client.create(flowSchema, {
      metadata: { name: "none" },
      spec: { matchingPrecedence: 500, priorityLevelConfiguration: { name: "none" }, rules },
    })
    const session = connect(`https://127.0.0.1:${server.port}`, { ca: certificates.ca.cert })
    scope.defer(() => session.destroy())

    const served = await get(session, "/version", "alice")
    assert.deepEqual(
      [
        served.status,
        served.headers["x-kubernetes-pf-flowschema-uid"],
        served.headers["x-kubernetes-pf-prioritylevel-uid"],
      ],
      [200, schema.metadata.uid, level.metadata.uid],
    )
    // Who may not is told so all the same.
    const refused = await get(session, "/api/v1/secrets", "alice")
    assert.deepEqual(
      [refused.status, refused.headers["x-kubernetes-pf-flowschema-uid"]],
      [403, schema.metadata.uid],
    )
    // A level without seats serves one at a time: the second is there before the first one's answer has left.
    const crowd = await Promise.all(Array.from({ length: 5 }, () => get(session, "/version", "alice")))
    assert.ok(crowd.some(({ status }) => status === 200))
    const late = crowd.find(({ status }) => status === 429)!
    assert.equal(late.body, "Too many requests, please try again later.\n")
    assert.equal(late.headers["retry-after"], "1")
    assert.equal(late.headers["x-kubernetes-pf-flowschema-uid"], schema.metadata.uid)
    const [a, b] = await Promise.all([
      get(session, "/openapi/v2", "admin"),
      get(session, "/debug/api_priority_and_fairness/dump_requests?includeRequestDetails=1", "admin"),
    ])
    assert.equal(a.status, 200)
    assert.match(b.body, /\nexempt, +exempt, +-1, +-1, .* admin, +get, +\/debug\/api_priority_and_fairness/)
    const metrics = (await get(session, "/metrics", "admin")).body
    assert.match(
      metrics,
      /apiserver_flowcontrol_dispatched_requests_total\{priority_level="none",flow_schema="none"\} [2-6]\n/,
    )
    assert.match(metrics, /apiserver_flowcontrol_nominal_limit_seats\{priority_level="workload-low"\} 245\n/)
  })
})
