import assert from "node:assert/strict"
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { systemClock } from "@knarr/base"
import { readKubeconfig } from "@knarr/client"
import { adminKubeconfig, mergeIntoKubeconfig, removeFromKubeconfig } from "./kubeconfig-file.ts"

const waiting = { clock: systemClock, signal: new AbortController().signal }
const pair = { cert: "cert", key: "key" }
const mine = `
apiVersion: v1
kind: Config
clusters: [{ name: mine, cluster: { server: "https://mine" } }]
contexts: [{ name: mine, context: { cluster: mine, user: mine } }, { name: other, context: { cluster: mine, user: mine } }]
users: [{ name: mine, user: { token: t } }]
current-context: mine
`

/** `+a`: `up` of the cluster a; `-a`: its `delete`; `=c`: the user makes the context c current; `xc`: removes it. */
const cases: readonly (readonly [string, string])[] = [
  ["+a -a", "mine"],
  ["+a +a -a", "mine"],
  ["+a =other -a", "other"],
  ["+a =other +a -a", "other"],
  ["+a +b -b", "a"],
  ["+a +b -b -a", "mine"],
  ["+a +b -a -b", "mine"],
  ["+a +b -a", "b"],
  ["+a xmine -a", ""],
]

for (const [history, current] of cases)
  test(`the current context after ${history} is "${current}"`, async (t) => {
    const dir = mkdtempSync(join(tmpdir(), "knarr-kubeconfig-"))
    t.after(() => rmSync(dir, { recursive: true }))
    const file = join(dir, "config")
    writeFileSync(file, mine)
    for (const word of history.split(" ")) {
      const name = word.slice(1)
      const ca = { ...pair, cert: `ca of ${name}` }
      if (word.startsWith("+"))
        await mergeIntoKubeconfig(
          file,
          adminKubeconfig(name, `https://${name}`, { ca, admin: pair }),
          waiting,
        )
      else if (word.startsWith("-")) await removeFromKubeconfig(file, name, ca.cert, waiting)
      else {
        const config = await readKubeconfig(file)
        if (word.startsWith("=")) config["current-context"] = name
        else config.contexts = config.contexts.filter((one) => one.name !== name)
        writeFileSync(file, JSON.stringify(config))
      }
    }
    const after = await readKubeconfig(file)
    assert.equal(after["current-context"], current)
    assert.equal(
      after.clusters.some(({ name }) => name === "a"),
      !history.includes("-a"),
    )
  })

test("a cluster of the same name with another authority is left alone", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "knarr-kubeconfig-"))
  t.after(() => rmSync(dir, { recursive: true }))
  const file = join(dir, "config")
  await mergeIntoKubeconfig(file, adminKubeconfig("a", "https://a", { ca: pair, admin: pair }), waiting)
  await removeFromKubeconfig(file, "a", "another", waiting)
  assert.equal((await readKubeconfig(file))["current-context"], "a")
})

test("clusters that are started at one moment are all in the file", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "knarr-kubeconfig-"))
  t.after(() => rmSync(dir, { recursive: true }))
  const file = join(dir, "config")
  const names = ["a", "b", "c", "d", "e"]
  const merge = (name: string): Promise<void> =>
    mergeIntoKubeconfig(file, adminKubeconfig(name, `https://${name}`, { ca: pair, admin: pair }), waiting)
  await Promise.all(names.map(merge))
  assert.deepEqual((await readKubeconfig(file)).contexts.map(({ name }) => name).sort(), names)
  assert.deepEqual(readdirSync(dir), ["config"])
})
