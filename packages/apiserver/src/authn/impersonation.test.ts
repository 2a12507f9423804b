import assert from "node:assert/strict"
import { request } from "node:https"
import { connect } from "node:http2"
import { test } from "node:test"
import type { AuthorizationAttributes, Authorizer, Impersonated, UserInfo } from "../contract.ts"
import { listen } from "../server/listener.ts"
import { respondText } from "../server/respond.ts"
import { testCertificates, testEnv } from "../testing.ts"
import { resourceAttributes } from "../authz/attributes.ts"
import { distinctImpersonation, Impersonation } from "./impersonation.ts"

const admin: UserInfo = { name: "admin", groups: ["system:masters"] }
const create = resourceAttributes({
  verb: "create",
  apiGroup: "authentication.k8s.io",
  resource: "selfsubjectreviews",
})

function joinedHeaders(lines: readonly string[]): Record<string, string> {
  const joined: Record<string, string> = {}
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i]!.toLowerCase()
    joined[name] = joined[name] === undefined ? lines[i + 1]! : `${joined[name]}, ${lines[i + 1]!}`
  }
  return distinctImpersonation(joined, lines)
}

/** Who the raw header lines make of the administrator, in the old way, and what was asked for it. */
function impersonated(lines: readonly string[]): { user: UserInfo; asked: string[] } {
  const asked: string[] = []
  const authorizer: Authorizer = {
    authorize(_user, { verb, resource, subresource, namespace, name }: AuthorizationAttributes) {
      if (verb !== "impersonate") return { verdict: "noOpinion", reason: "" }
      asked.push([resource, subresource, namespace, name].filter((part) => part !== "").join(" "))
      return { verdict: "allow", reason: "" }
    },
  }
  const answer = new Impersonation(authorizer).ask(admin, joinedHeaders(lines), create, {})
  assert.ok(answer && !(answer instanceof Promise))
  assert.equal(answer.constraint, "")
  return { user: answer.user, asked }
}

test("each header is one group or value, whatever it holds", () => {
  const { user, asked } = impersonated(
    ["Impersonate-User", "eve", "Impersonate-Group", "a, b", "impersonate-group", "c"].concat([
      "Impersonate-Extra-Scopes",
      "x, y",
      "Impersonate-Extra-Scopes",
      "z",
      "Impersonate-Extra-Acme.com%2Fproject",
      "p",
    ]),
  )
  assert.deepEqual(user.groups, ["a, b", "c", "system:authenticated"])
  assert.deepEqual(user.extra, { scopes: ["x, y", "z"], "acme.com/project": ["p"] })
  assert.deepEqual(asked, [
    "users eve",
    "groups a, b",
    "groups c",
    "userextras scopes x, y",
    "userextras scopes z",
    "userextras acme.com/project p",
  ])
})

test("names of extras never reach a prototype", () => {
  const names = ["__proto__", "constructor", "toString", "hasOwnProperty"]
  const { user, asked } = impersonated(
    ["Impersonate-User", "eve"].concat(names.flatMap((name) => [`Impersonate-Extra-${name}`, "v"])),
  )
  assert.equal(Object.getPrototypeOf(user.extra), Object.prototype)
  for (const name of names) {
    assert.deepEqual(Object.getOwnPropertyDescriptor(user.extra, name.toLowerCase())?.value, ["v"], name)
    assert.ok(asked.includes(`userextras ${name.toLowerCase()} v`))
  }
  assert.equal(({} as Record<string, unknown>)["v"], undefined)
})

test("repeated headers stay apart on HTTP/1.1 and HTTP/2", async () => {
  const allow: Authorizer = { authorize: () => ({ verdict: "allow", reason: "" }) }
  const impersonation = new Impersonation(allow)
  const { server, ca } = testCertificates()
  const listener = await listen({
    ...testEnv,
    bindAddresses: ["127.0.0.1"],
    port: 0,
    certificates: server,
    onRequest: (exchange) =>
      respondText(
        exchange,
        200,
        JSON.stringify(
          (impersonation.ask(admin, exchange.headers, create, exchange) as Impersonated).user.groups,
        ),
      ),
    takesUpgrade: () => false,
  })
  const url = `https://127.0.0.1:${listener.port}`
  const headers = { "Impersonate-User": "eve", "Impersonate-Group": ["a, b", "c"] }
  const session = connect(url, { ca: ca.cert })
  const text = async (stream: AsyncIterable<Buffer>): Promise<string> => {
    const chunks: Buffer[] = []
    for await (const chunk of stream) chunks.push(chunk)
    return Buffer.concat(chunks).toString()
  }
  try {
    const overHttp1 = new Promise<string>((resolve, reject) => {
      request(
        url,
        { headers, ca: ca.cert, agent: false },
        (response) => void text(response).then(resolve, reject),
      )
        .on("error", reject)
        .end()
    })
    const overHttp2 = text(session.request({ ":path": "/", ...headers }))
    for (const answer of [await overHttp1, await overHttp2])
      assert.deepEqual(JSON.parse(answer), ["a, b", "c", "system:authenticated"])
  } finally {
    session.destroy()
    await listener.close(0)
  }
})
