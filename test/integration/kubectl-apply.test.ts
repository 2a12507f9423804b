/** Our kubectl's apply family against a real API server, as upstream's behaves there. */
import assert from "node:assert/strict"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Readable, Writable } from "node:stream"
import { test } from "node:test"
import { configMap } from "@knarr/api"
import { seededRandom, systemClock } from "@knarr/base"
import { runKubectl } from "@knarr/kubectl"
import { startControlPlane } from "knarr/testing"

const manifest = (labels: object, data: object): string =>
  JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "moved", labels }, data })

test("diff of what was applied says nothing, and server-side apply lets go of what client-side apply wrote", async () => {
  await using cluster = await startControlPlane({ port: 0 })
  const dir = mkdtempSync(join(tmpdir(), "knarr-kubectl-"))
  cluster.scope.defer(() => rmSync(dir, { recursive: true, force: true }))
  const config = join(dir, "config")
  writeFileSync(config, JSON.stringify(cluster.kubeconfig))
  const file = join(dir, "manifest.json")
  const kubectl = async (...args: string[]): Promise<{ code: number; out: string; err: string }> => {
    const text = { out: "", err: "" }
    const into = (name: "out" | "err"): Writable =>
      new Writable({
        write(chunk: Buffer, _encoding, done) {
          text[name] += chunk.toString()
          done()
        },
      })
    const code = await runKubectl(["--kubeconfig", config, ...args], {
      ...{
        stdin: Readable.from([]),
        stdout: into("out"),
        stderr: into("err"),
        env: { ...process.env, HOME: dir },
      },
      ...{ signal: AbortSignal.timeout(60_000), clock: systemClock, random: seededRandom(1) },
    })
    return { code, ...text }
  }

  writeFileSync(file, manifest({ tier: "front", old: "yes" }, { keep: "1", drop: "2" }))
  assert.deepEqual(await kubectl("diff", "-f", file).then(({ code }) => code), 1)
  assert.deepEqual(await kubectl("apply", "-f", file), { code: 0, out: "configmap/moved created\n", err: "" })
  assert.deepEqual(await kubectl("diff", "-f", file), { code: 0, out: "", err: "" })

  writeFileSync(file, manifest({ tier: "front" }, { keep: "1" }))
  const changed = await kubectl("diff", "-f", file)
  assert.equal(changed.code, 1)
  assert.deepEqual(changed.out.match(/^[-+] .*$/gm), ['-  drop: "2"', '-    old: "yes"'])
  assert.deepEqual(await kubectl("apply", "--server-side", "-f", file), {
    code: 0,
    out: "configmap/moved serverside-applied\n",
    err: "",
  })
  const { metadata, data } = await cluster.client.get(configMap, { namespace: "default", name: "moved" })
  assert.deepEqual([metadata.labels, data], [{ tier: "front" }, { keep: "1" }])
  assert.deepEqual(
    metadata.managedFields?.map(({ manager, operation }) => `${manager}/${operation}`),
    ["kubectl-last-applied/Apply", "kubectl/Apply"],
  )
})
