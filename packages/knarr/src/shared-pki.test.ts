import assert from "node:assert/strict"
import { X509Certificate } from "node:crypto"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { virtualEnv } from "@knarr/testkit"
import { ensurePki } from "./pki.ts"
import { adoptPki } from "./shared-pki.ts"

const names = { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] }

test("a further server takes over the authorities and the key of tokens, and nothing else", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "knarr-shared-pki-"))
  t.after(() => rmSync(dir, { recursive: true }))
  const env = virtualEnv()
  const [one, two, three] = ["one", "two", "three"].map((name) => join(dir, name)) as [string, string, string]
  assert.throws(() => adoptPki(one, two), /^UsageError: --pki-from: open .*one\/ca\.crt: no such file/)
  const first = ensurePki(one, env, names)
  adoptPki(one, two)
  assert.deepEqual(readdirSync(two).sort(), [
    "ca.crt",
    "ca.key",
    "front-proxy-ca.crt",
    "front-proxy-ca.key",
    "sa.key",
  ])
  const second = ensurePki(two, env, { ...names, ipAddresses: ["192.0.2.7"] })
  assert.deepEqual([second.ca, second.frontProxyCA], [first.ca, first.frontProxyCA])
  assert.equal(second.serviceAccount.privateKey, first.serviceAccount.privateKey)
  assert.equal(new X509Certificate(second.server.cert).checkIP("192.0.2.7"), "192.0.2.7")
  assert.notEqual(second.admin.cert, first.admin.cert)
  adoptPki(one, two)
  ensurePki(three, env, names)
  const key = readFileSync(join(three, "sa.key"), "utf8")
  assert.throws(() => adoptPki(one, three), /three\/ca\.crt is not that of .*one: delete the cluster first/)
  assert.equal(readFileSync(join(three, "sa.key"), "utf8"), key)
})
