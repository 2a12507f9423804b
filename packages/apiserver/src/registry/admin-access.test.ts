import assert from "node:assert/strict"
import { test } from "node:test"
import { createAdminAccessHooks } from "./admin-access.ts"

const claim = { devices: { requests: [{ exactly: {} }, { exactly: { adminAccess: true } }] } }
const own = { devices: { requests: [{ exactly: { adminAccess: false } }] } }
const labels = { "resource.kubernetes.io/admin-access": "true" }

const asked: readonly { name: string; spec: object; labels?: Record<string, string>; refused: boolean }[] = [
  { name: "a claim", spec: claim, refused: true },
  { name: "a template", spec: { spec: claim }, refused: true },
  { name: "a claim in a namespace for admins", spec: claim, labels, refused: false },
  { name: "a template in a namespace for admins", spec: { spec: claim }, labels, refused: false },
  { name: "a claim without admin access", spec: own, refused: false },
  { name: "a claim that says nothing", spec: {}, refused: false },
]

for (const { name, spec, labels = {}, refused } of asked) {
  test(`${name} is ${refused ? "refused" : "taken"}`, () => {
    const hooks = createAdminAccessHooks(() => ({ metadata: { labels } }) as never)
    const errors = hooks.validateCreate!({ metadata: { namespace: "n" }, spec } as never)
    assert.deepEqual(
      errors.map((error) => error.field),
      refused ? ["spec.devices.requests[1].adminAccess"] : [],
    )
  })
}
