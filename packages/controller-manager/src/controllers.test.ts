import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { covers, type PolicyRuleLike } from "@knarr/controller-kit"
import { createControllers } from "./controllers.ts"

interface Role {
  readonly metadata: { readonly name: string }
  readonly rules?: readonly PolicyRuleLike[]
}

const facts = new URL("../../../facts/bootstrap-objects.json", import.meta.url)
const { objects } = JSON.parse(readFileSync(facts, "utf8")) as { objects: { clusterroles: Role[] } }
const roles = new Map(objects.clusterroles.map((role) => [role.metadata.name, role]))
const all = createControllers({
  rootCA: "CA",
  signingCA: { cert: "", key: "" },
  clusterCIDR: "10.244.0.0/16",
})

test("Controllers have names of their own", () => {
  assert.equal(new Set(all.map((controller) => controller.name)).size, all.length)
})

for (const { name, serviceAccount, rbac } of all) {
  test(`${name} stays within the published role of ${serviceAccount}`, () => {
    const role = roles.get(`system:controller:${serviceAccount}`)
    assert.ok(role, "published role")
    for (const rule of rbac) assert.ok(covers(role.rules ?? [], rule), JSON.stringify(rule))
  })
}
