import assert from "node:assert/strict"
import { test } from "node:test"
import type { Secret } from "@knarr/api"
import type { Kind, KubeObject } from "@knarr/apimachinery"
import { VirtualClock } from "@knarr/base"
import { BootstrapTokens } from "./bootstrap-tokens.ts"

const clock = new VirtualClock()
const good = {
  "token-id": "abcdef",
  "token-secret": "0123456789abcdef",
  "usage-bootstrap-authentication": "true",
  "auth-extra-groups": "system:bootstrappers:workers,system:bootstrappers:a",
}
const past = new Date(clock.now() - 1000).toISOString()
const future = new Date(clock.now() + 1000).toISOString()

function groupsOf(token: string, changes: Record<string, string>, type = "bootstrap.kubernetes.io/token") {
  const data = Object.fromEntries(
    Object.entries({ ...good, ...changes }).map(([key, text]) => [key, Buffer.from(text).toString("base64")]),
  )
  const metadata = { namespace: "kube-system", name: "bootstrap-token-abcdef" }
  const object = { apiVersion: "v1", kind: "Secret", metadata, type, data } as unknown as Secret
  const get = <T extends KubeObject>(_kind: Kind<T>, ref: { name: string }): T | undefined =>
    ref.name === metadata.name ? (object as KubeObject as T) : undefined
  const owner = new BootstrapTokens({ get }, clock).authenticate(token)
  assert.equal(owner?.user.name, owner && "system:bootstrap:abcdef")
  return owner?.user.groups
}

test("a bootstrap token is its Secret's", () => {
  const token = "abcdef.0123456789abcdef"
  const groups = ["system:bootstrappers", "system:bootstrappers:a", "system:bootstrappers:workers"]
  assert.deepEqual(groupsOf(token, {}), groups)
  assert.deepEqual(groupsOf(token, { expiration: future }), groups)
  assert.deepEqual(groupsOf(token, { "auth-extra-groups": "" }), ["system:bootstrappers"])
  for (const [what, changes] of [
    ["another secret", { "token-secret": "0123456789abcdee" }],
    ["a shorter secret", { "token-secret": "0123" }],
    ["another id", { "token-id": "abcdee" }],
    ["over", { expiration: past }],
    ["over some time that nobody can read", { expiration: "tomorrow" }],
    ["for signing alone", { "usage-bootstrap-authentication": "false" }],
    ["with a group of others", { "auth-extra-groups": "system:masters" }],
  ] as const)
    assert.equal(groupsOf(token, changes), undefined, what)
  assert.equal(groupsOf(token, {}, "Opaque"), undefined)
  for (const text of ["abcdef.0123456789abcde", "ABCDEF.0123456789abcdef", "abcdee.0123456789abcdef", ""])
    assert.equal(groupsOf(text, {}), undefined, text)
})
