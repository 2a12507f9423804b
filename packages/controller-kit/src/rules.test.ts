import assert from "node:assert/strict"
import { test } from "node:test"
import { rbacObjects } from "./rbac-objects.ts"
import { allow, covers } from "./rules.ts"
import type { Controller } from "./controller.ts"

const cases = [
  { have: [allow("", "pods", "get list")], want: allow("", "pods", "get"), covered: true },
  { have: [allow("", "pods", "get")], want: allow("", "pods", "get list"), covered: false },
  { have: [allow("*", "*", "*")], want: allow("apps", "deployments/status", "update"), covered: true },
  { have: [allow("*", "*/scale", "get")], want: allow("apps", "deployments/scale", "get"), covered: true },
  { have: [allow("*", "*/scale", "get")], want: allow("apps", "deployments", "get"), covered: false },
  {
    have: [allow("", "pods", "get"), allow("", "pods", "list")],
    want: allow("", "pods", "get list"),
    covered: true,
  },
  { have: [allow("", "pods", "get")], want: allow(",apps", "pods", "get"), covered: false },
  {
    have: [{ ...allow("", "pods", "get"), resourceNames: ["a"] }],
    want: allow("", "pods", "get"),
    covered: false,
  },
  {
    have: [allow("", "pods", "get")],
    want: { ...allow("", "pods", "get"), resourceNames: ["a"] },
    covered: true,
  },
]

for (const { have, want, covered } of cases) {
  test(`covers ${JSON.stringify(have)} ${covered ? "allows" : "does not allow"} ${JSON.stringify(want)}`, () => {
    assert.equal(covers(have, want), covered)
  })
}

test("rbacObjects merges the rules of controllers that share a service account", () => {
  const make = (name: string, verbs: string): Controller =>
    ({ name, serviceAccount: "node-controller", rbac: [allow("", "nodes", verbs)] }) as unknown as Controller
  assert.deepEqual(rbacObjects([make("a", "get list"), make("b", "get"), make("c", "patch")]), [
    {
      serviceAccount: "node-controller",
      name: "system:controller:node-controller",
      rules: [allow("", "nodes", "get list"), allow("", "nodes", "patch")],
    },
  ])
})
