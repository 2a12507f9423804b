import assert from "node:assert/strict"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { defaultKubeconfigFiles, loadKubeconfig, resolveContext } from "./kubeconfig.ts"

test("files merge as kubectl merges them, and paths are relative to their file", async () => {
  const dir = mkdtempSync(join(tmpdir(), "kubeconfig-"))
  try {
    writeFileSync(join(dir, "ca.pem"), "CA")
    writeFileSync(
      join(dir, "a"),
      "current-context: one\nclusters:\n- name: c\n  cluster: {server: 'https://a', certificate-authority: ca.pem}\ncontexts:\n- name: one\n  context: {cluster: c, user: u}\n",
    )
    writeFileSync(
      join(dir, "b"),
      "current-context: two\nclusters:\n- name: c\n  cluster: {server: 'https://b'}\nusers:\n- name: u\n  user: {token: secret}\ncontexts:\n- name: two\n  context: {cluster: c, user: u, namespace: ns}\n",
    )
    const files = defaultKubeconfigFiles({ KUBECONFIG: `${dir}/a:${dir}/missing:${dir}/b` })
    const config = await loadKubeconfig(files)
    const one = resolveContext(config)
    assert.equal(one.context, "one")
    assert.equal(one.namespace, "default")
    assert.equal(one.transport.server, "https://a")
    assert.equal(one.transport.tls.ca, "CA")
    assert.deepEqual(one.transport.headers!(), { authorization: "Bearer secret" })
    assert.equal(resolveContext(config, { context: "two" }).namespace, "ns")
    assert.throws(() => resolveContext(config, { context: "three" }), {
      message: 'context "three" does not exist',
    })
  } finally {
    rmSync(dir, { recursive: true })
  }
})
