import assert from "node:assert/strict"
import { X509Certificate, createPrivateKey } from "node:crypto"
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { virtualEnv } from "@knarr/testkit"
import { ensureNodePki, ensurePki, readNodePki } from "./pki.ts"

test("a node's folder has its own identities, made once, and no key of the CA", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "knarr-pki-"))
  t.after(() => rmSync(dir, { recursive: true }))
  const env = virtualEnv()
  const { ca } = ensurePki(join(dir, "pki"), env, { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] })
  const node = join(dir, "node-1")
  const ensure = () => {
    ensureNodePki(node, env, ca, "node-1", "10.89.0.2")
    return readNodePki(node, join(dir, "pki", "ca.crt"))
  }
  const first = ensure()
  const kubelet = new X509Certificate(first.kubelet.cert)
  assert.deepEqual(kubelet.subject.split("\n").sort(), ["CN=system:node:node-1", "O=system:nodes"])
  assert.equal(kubelet.subjectAltName, "DNS:node-1, IP Address:10.89.0.2")
  assert.equal(new X509Certificate(first.proxy.cert).subject, "CN=system:kube-proxy")
  assert.deepEqual(readdirSync(node).sort(), [
    "kube-proxy.crt",
    "kube-proxy.key",
    "kubelet.crt",
    "kubelet.key",
  ])
  assert.deepEqual(ensure(), first)
})

test("the key of an authority must fit its certificate; a leaf whose key does not is made anew", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "knarr-pki-"))
  t.after(() => rmSync(dir, { recursive: true }))
  const env = virtualEnv()
  const names = { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] }
  const [one, other] = [join(dir, "one"), join(dir, "other")]
  const first = ensurePki(one, env, names)
  ensurePki(other, env, names)
  assert.deepEqual(ensurePki(one, env, names), first)

  copyFileSync(join(other, "admin.key"), join(one, "admin.key"))
  const mended = ensurePki(one, env, names)
  assert.ok(new X509Certificate(mended.admin.cert).checkPrivateKey(createPrivateKey(mended.admin.key)))
  assert.deepEqual({ ...mended, admin: first.admin }, first)

  for (const name of ["front-proxy-ca", "ca"]) {
    const file = join(one, `${name}.crt`)
    copyFileSync(join(other, `${name}.crt`), file)
    assert.throws(() => ensurePki(one, env, names), {
      message: `"${join(one, name)}.key" is not the key of the certificate in "${file}": put both back as they were together`,
    })
  }
})
