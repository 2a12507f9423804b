/**
 * The package that `npm pack` makes, installed into an empty project: its modules, their types and its command work there
 * as in the clone. `$KNARR_NODES` names further Node programs to try it with, with colons between them.
 */
import assert from "node:assert/strict"
import { execFile } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test, type TestContext } from "node:test"
import { promisify } from "node:util"
import { KnarrHome } from "./knarr-command.ts"

const run = promisify(execFile)
const limitMs = 240_000
const root = join(import.meta.dirname, "../..")
const nodes = [process.execPath, ...(process.env["KNARR_NODES"]?.split(":") ?? [])]

/** Runs a program in a folder, to its end; rejects with all that it says when it fails. */
async function succeed(program: string, args: readonly string[], cwd: string): Promise<string> {
  // A test runner inside a test would run nothing.
  const env = { ...process.env, NODE_OPTIONS: "", NODE_TEST_CONTEXT: undefined }
  try {
    return (await run(program, args, { cwd, env, timeout: limitMs })).stdout
  } catch (thrown) {
    const { stdout, stderr } = thrown as { readonly stdout?: string; readonly stderr?: string }
    throw new Error(`${program} ${args.join(" ")}: ${stderr}${stdout}`, { cause: thrown })
  }
}

interface Locked {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** The folders of what the package depends on, from the clone: installing must not need a registry. */
function dependencies(): string[] {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    readonly packages: Readonly<Record<string, Locked>>
  }
  const namesOf = (place: string): string[] =>
    Object.keys({ ...packages[place]?.dependencies, ...packages[place]?.optionalDependencies })
  const names = new Set(namesOf(""))
  for (const name of names) for (const one of namesOf(`node_modules/${name}`)) names.add(one)
  return [...names].map((name) => join(root, "node_modules", name)).filter((dir) => existsSync(dir))
}

const usesModules = `
import assert from "node:assert/strict"
import { test } from "node:test"
import { configMap, deployment, pod } from "knarr/api"
import { startControlPlane } from "knarr/testing"

test("a control plane listens", async () => {
  await using cluster = await startControlPlane()
  const made = await cluster.client.create(configMap, { metadata: { namespace: "default", name: "a" }, data: { k: "v" } })
  assert.equal(made.data?.["k"], "v")
  assert.match(cluster.url, /^https:/)
})

test("virtual time runs pods", async () => {
  const cluster = await startControlPlane({ time: "virtual", seed: 3, nodes: 1 })
  const labels = { app: "a" }
  await cluster.client.create(deployment, {
    metadata: { namespace: "default", name: "a" },
    spec: {
      replicas: 2,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: "c", image: "i" }] } },
    },
  })
  await cluster.clock.advance(60_000)
  const { items } = await cluster.client.list(pod, { namespace: "default" })
  assert.deepEqual(items.map(({ status }) => status.phase), ["Running", "Running"])
  await cluster.stop()
})
`

const requires = `
const assert = require("node:assert/strict")
const { test } = require("node:test")
const { startControlPlane } = require("knarr/testing")
const { VirtualClock } = require("knarr/base")
test("required modules share their classes", async () => {
  const cluster = await startControlPlane({ time: "virtual" })
  assert.ok(cluster.clock instanceof VirtualClock)
  await cluster.stop()
})
`

test("the package in an empty project", { timeout: 2 * limitMs }, async (t: TestContext) => {
  const dir = mkdtempSync(join(tmpdir(), "knarr-package-"))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const project = join(dir, "project")
  mkdirSync(project)
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, type: "module" }))

  await succeed("npm", ["pack", "--silent", "--pack-destination", dir], root)
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string }
  const install = ["install", "--offline", "--ignore-scripts", "--install-links", "--no-audit", "--no-fund"]
  await succeed("npm", [...install, join(dir, `knarr-${version}.tgz`), ...dependencies()], project)
  writeFileSync(join(project, "uses.test.ts"), usesModules)
  // The oldest Node knows neither types nor `using`.
  writeFileSync(
    join(project, "uses.test.mjs"),
    usesModules.replace("await using", "const").replace(/(assert\.match.*\n)/, "$1  await cluster.stop()\n"),
  )
  writeFileSync(join(project, "requires.test.cjs"), requires)

  for (const node of nodes)
    await t.test(`runs on ${node}`, async () => {
      const files = ["uses.test.mjs", "requires.test.cjs"]
      assert.match(await succeed(node, ["--test", ...files], project), /^\S+ pass 3$/m)
    })

  await t.test("has types", async () => {
    const options = { strict: true, noEmit: true, module: "nodenext", target: "esnext", types: ["node"] }
    const config = { compilerOptions: options, files: ["uses.test.ts"] }
    writeFileSync(join(project, "tsconfig.json"), JSON.stringify(config))
    await succeed(join(root, "node_modules/.bin/tsc"), ["-p", "."], project)
  })

  await t.test("starts a cluster, and removes it", async () => {
    await using home = new KnarrHome("packed", [join(project, "node_modules/.bin/knarr")])
    await home.up()
    assert.match(await home.kubectl(["get", "nodes"]), /^node-0\s+Ready\s/m)
    assert.match(await home.kubectl(["explain", "pod.spec"]), /Specification of the desired behavior/)
    await home.knarr("delete", "--name", "packed")
  })
})
