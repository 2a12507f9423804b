import assert from "node:assert/strict"
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { configMap, kinds } from "@knarr/api"
import { startApiServer } from "@knarr/apiserver"
import { createPrivateKeyPem, Scope } from "@knarr/base"
import { createTransport } from "@knarr/client"
import { openEmbeddedStore, restoreSnapshot } from "@knarr/store"
import { systemEnv } from "@knarr/testkit"
import { ClusterHome } from "./cluster-home.ts"
import { adminKubeconfig, writeKubeconfig } from "./kubeconfig-file.ts"
import { liveSnapshots, saveLiveSnapshot, snapshotPath, sweepSnapshots } from "./live-snapshot.ts"
import { passingPki } from "./pki.ts"

const signal = new AbortController().signal

test("a running server writes its state to a file for its administrator, while it serves, and for nobody else", async (t) => {
  const home = mkdtempSync(join(tmpdir(), "knarr-live-snapshot-"))
  t.after(() => rmSync(home, { recursive: true }))
  const env = systemEnv()
  const cluster = new ClusterHome(home, "a")
  await using scope = new Scope("test", { env })
  const store = scope.use(await openEmbeddedStore({ dir: cluster.store, env }))
  const signingKey = createPrivateKeyPem()
  const pki = passingPki(env, { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] }, signingKey)
  const server = await startApiServer({
    ...{ env, store, kinds, scope: scope.child("server"), bindAddresses: ["127.0.0.1"], port: 0 },
    certificates: { ...pki.server, clientCA: pki.ca.cert },
    serviceAccounts: { signingKey, issuers: ["test"] },
    paths: new Map([[snapshotPath, liveSnapshots(store, cluster, env.random)]]),
  })
  const url = `https://127.0.0.1:${server.port}`
  writeKubeconfig(cluster.kubeconfig, adminKubeconfig("a", url, pki))
  const client = server.client()
  const create = (name: string): Promise<unknown> =>
    client.create(configMap, { metadata: { namespace: "default", name } })
  await create("before")
  const file = join(home, "state.db")
  const [{ revision }] = await Promise.all([saveLiveSnapshot(cluster, file, signal), create("meanwhile")])
  await create("after")
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.deepEqual(readdirSync(cluster.dir).sort(), ["kubeconfig", "store"])

  using stranger = createTransport({ server: url, tls: () => ({ ca: pki.ca.cert }) })
  const refused = await stranger.request({ method: "POST", path: snapshotPath, signal })
  assert.equal(refused.status, 403)
  assert.match(String(await refused.buffer()), /User \\"system:anonymous\\" cannot post path/)

  const restored = join(home, "restored")
  assert.equal((await restoreSnapshot(file, restored)).revision, revision)
  await using copy = await openEmbeddedStore({ dir: restored, env })
  assert.equal(copy.revision, revision)
  const prefix = "/registry/configmaps/default/"
  const names = (await copy.range({ prefix })).kvs.map(({ key }) => key.slice(prefix.length))
  assert.ok(names.includes("before"))
  assert.ok(!names.includes("after"))

  // Of one that was made and not taken.
  writeFileSync(join(cluster.dir, "snapshot-1"), "x")
  await sweepSnapshots(cluster)
  assert.deepEqual(readdirSync(cluster.dir).sort(), ["kubeconfig", "store"])
})
