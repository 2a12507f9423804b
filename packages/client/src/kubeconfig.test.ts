import assert from "node:assert/strict"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { defaultKubeconfigFiles, loadKubeconfig, parseKubeconfig, resolveContext } from "./kubeconfig.ts"

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
    assert.equal(one.transport.tls().ca, "CA")
    assert.deepEqual(one.transport.headers!(), { authorization: "Bearer secret" })
    assert.equal(resolveContext(config, { context: "two" }).namespace, "ns")
    assert.throws(() => resolveContext(config, { context: "three" }), {
      message: 'context "three" does not exist',
    })
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test("what a kubeconfig leaves out is empty, and what has another form is refused by the file's name", async () => {
  const config = await parseKubeconfig("f", "users:\n- name: u\nclusters:\n- name: c\n  cluster: null\n")
  assert.deepEqual([config.users, config.clusters], [[{ name: "u", user: {} }], [{ name: "c", cluster: {} }]])
  assert.equal(resolveContext(config, { cluster: "c", user: "u" }).transport.server, "http://localhost:8080")
  for (const text of [
    "- a",
    "users: {}",
    "users: [1]",
    "users: [{name: 1}]",
    "clusters: [{name: c, cluster: x}]",
    "clusters: [{name: c, cluster: {server: [x]}}]",
    "current-context: {a: b}",
  ])
    await assert.rejects(parseKubeconfig("f", text), /^Error: error loading config file "f": /, text)
})
