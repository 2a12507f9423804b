/** What a published API server said to the same users with the same rules. */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { describe, it, test } from "node:test"
import { clusterRole, clusterRoleBinding, type PolicyRule } from "@knarr/api"
import type { KubeObject } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import { RequestAttributes } from "../authz/attributes.ts"
import { forbiddenError } from "../authz/forbidden.ts"
import { Rbac } from "../authz/rbac.ts"
import type { Authorizer, Impersonated, UserInfo } from "../contract.ts"
import { parseRequestInfo } from "../server/request-info.ts"
import { distinctImpersonation, Impersonation } from "./impersonation.ts"

interface Case {
  readonly what: string
  readonly rules: readonly PolicyRule[]
  readonly request: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly answer: {
    readonly message?: string
    /** Null: nobody is acted as. */
    readonly user?: { readonly username: string } | null
  }
}

const vectors = new URL("testdata/impersonation.json", import.meta.url)
const { users, agent } = JSON.parse(readFileSync(vectors, "utf8")) as Record<"users" | "agent", Case[]>

function authorizerOf(rules: readonly PolicyRule[], user: UserInfo): Authorizer {
  const metadata = { name: "case" }
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "case" }
  const subjects = [{ kind: "User", name: user.name }]
  const objects = new Map<unknown, object>([
    [clusterRole, { metadata, rules }],
    [clusterRoleBinding, { metadata, roleRef, subjects }],
  ])
  return new Rbac({
    get: (kind) => objects.get(kind) as never,
    list: (kind) => [objects.get(kind)].filter((one) => one !== undefined) as KubeObject[] as never,
  })
}

async function answer(one: Case, caller: UserInfo): Promise<Case["answer"]> {
  const [method = "", path = ""] = one.request.split(" ")
  const lines = one.headers.flat()
  const joined: Record<string, string> = {}
  for (const [name, value] of one.headers) {
    const header = name.toLowerCase()
    joined[header] = header in joined ? `${joined[header]}, ${value}` : value
  }
  const url = new URL(path, "https://localhost")
  const info = parseRequestInfo(method, url.pathname, url.searchParams)
  const attributes = new RequestAttributes(info, { query: url.searchParams })
  const authorizer = authorizerOf(one.rules, caller)
  try {
    const headers = distinctImpersonation(joined, lines)
    const other = await new Impersonation(authorizer).ask(caller, headers, attributes, {})
    if (!other) return { user: null }
    const { name, groups, uid, extra } = other.user
    // What everybody who is authenticated may.
    if (info.resource !== "selfsubjectreviews" || !groups.includes("system:authenticated"))
      throw forbiddenError(other.user, attributes, "")
    return { user: { username: name, groups, ...(uid ? { uid } : {}), ...(extra ? { extra } : {}) } as never }
  } catch (thrown) {
    return { message: messageOf(thrown) }
  }
}

const answered = ({ answer: { message, user } }: Case): Case["answer"] =>
  message === undefined ? { user: user! } : { message }

describe("Who may act as whom, as the published API server has it", () => {
  for (const [at, one] of users.entries())
    it(one.what, async () => {
      const caller = { name: `eve-${at}`, groups: ["system:authenticated"] }
      assert.deepEqual(await answer(one, caller), answered(one))
    })
  for (const one of agent)
    it(`an agent on a node: ${one.what}`, async () => {
      const name = "system:serviceaccount:default:agent"
      const extra = { "authentication.kubernetes.io/node-name": ["n1"] }
      const caller = { name, groups: ["system:serviceaccounts", "system:authenticated"], extra }
      assert.deepEqual(await answer(one, caller), answered(one))
    })
})

test("what served a user last is asked first", async () => {
  const asked: string[] = []
  const authorizer: Authorizer = {
    authorize(_user, { verb }) {
      asked.push(verb)
      return { verdict: verb.startsWith("impersonate-on") ? "noOpinion" : "allow", reason: "" }
    },
  }
  const impersonation = new Impersonation(authorizer)
  const info = parseRequestInfo("GET", "/api/v1/nodes", new URLSearchParams())
  const attributes = new RequestAttributes(info, { query: new URLSearchParams() })
  const caller = { name: "eve", groups: [] }
  for (const expected of [["impersonate-on:user-info:list", "impersonate"], ["impersonate"]]) {
    const other = (await impersonation.ask(
      caller,
      { "impersonate-user": "bob" },
      attributes,
      {},
    )) as Impersonated
    assert.deepEqual([other.user.name, other.constraint], ["bob", ""])
    assert.deepEqual(asked.splice(0), expected)
  }
})
