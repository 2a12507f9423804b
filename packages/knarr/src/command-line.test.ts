/** The command as its user meets it, with clusters that do not run. */
import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { systemClock } from "@knarr/base"
import { systemEnv } from "@knarr/testkit"
import { ClusterHome, defaultRanges, writeAtomically } from "./cluster-home.ts"
import { decideConfig } from "./decide-config.ts"
import { runCommandLine } from "./command-line.ts"
import { commandLoaders } from "./commands/order.ts"

/** A home of its own; what the command prints is kept. */
class Home implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), "knarr-command-"))

  async run(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    let [stdout, stderr] = ["", ""]
    const code = await runCommandLine(argv, {
      ...systemEnv(),
      signal: new AbortController().signal,
      environment: { KNARR_HOME: this.dir, HOME: this.dir },
      print: (text) => void (stdout += text),
      warn: (text) => void (stderr += text),
    })
    return { code, stdout, stderr }
  }

  /** A control plane alone, as `up` and `down` leave it. */
  stopped(name: string): ClusterHome {
    const cluster = new ClusterHome(this.dir, name)
    const ports = { port: 6443, registryPort: 5000 }
    cluster.write({ name, index: 0, ...defaultRanges(0), ...ports, agents: 0, hasNode: false })
    return cluster
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true, force: true })
  }
}

test("what is wrong on the command line is said in a line, with exit code 1, and nothing is made", async () => {
  using home = new Home()
  const cases: readonly [args: readonly string[], message: RegExp][] = [
    [["upp"], /^error: unknown command "upp"; run "knarr help"\n$/],
    [["image"], /^error: unknown command "image"; run "knarr help"\n$/],
    [["image", "save"], /^error: unknown command "image"; run "knarr help"\n$/],
    [["up", "--agentz", "2"], /^error: Unknown option '--agentz'\nusage: knarr up \[--name NAME\]/],
    [["up", "extra"], /^error: knarr up takes no arguments\nusage: knarr up/],
    [["status", "--name"], /^error: Option '--name <value>' argument missing\nusage: knarr status/],
    [["image", "load"], /^error: knarr image load takes FILE\nusage: knarr image load/],
    [["image", "load", "a", "b"], /^error: knarr image load takes FILE\n/],
    [
      ["up", "--agents", "many"],
      /^error: invalid argument "many" for "--agents": must be a number between 0 and 32\n$/,
    ],
    [["up", "--agents", "33"], /^error: invalid argument "33" for "--agents"/],
    [
      ["up", "--port", "70000"],
      /^error: invalid argument "70000" for "--port": must be a number between 1 and 65535\n$/,
    ],
    [["up", "--name", "No_Such"], /^error: invalid cluster name "No_Such": /],
    [["up", "--name", "../evil"], /^error: invalid cluster name "\.\.\/evil": /],
    [
      ["up", "--agents", "1", "--no-agent=true"],
      /^error: --agents needs the first node: leave --no-agent out\n$/,
    ],
    [["down", "--name", "none"], /^error: there is no cluster "none" in .*; create it with "knarr up"\n$/],
    [["delete"], /^error: there is no cluster "default" in /],
    [["status", "--name", "none"], /^error: there is no cluster "none" in /],
    [["kubeconfig", "--name", "none"], /^error: there is no cluster "none" in /],
    [["image", "load", "x.tar", "--name", "none"], /^error: there is no cluster "none" in /],
  ]
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await home.run(...args)
    assert.match(stderr, message)
    assert.deepEqual([code, stdout], [1, ""], args.join(" "))
  }
  assert.deepEqual(readdirSync(home.dir), [])
})

test("help names every command, and each its usage", async () => {
  using home = new Home()
  const help = await home.run("help")
  assert.deepEqual(await home.run("--help"), help)
  assert.deepEqual(await home.run(), { ...help, code: 1 })
  assert.equal(help.code, 0)
  for (const { name, summary, load } of commandLoaders) {
    assert.match(help.stdout, new RegExp(`^  ${name} +${summary}$`, "m"))
    const command = await load()
    assert.equal(command.name, name)
    const own = await home.run(...name.split(" "), "-h")
    assert.deepEqual([own.code, own.stderr], [0, ""])
    assert.ok(own.stdout.startsWith(`${command.summary}\n\nusage: knarr ${name} ${command.usage}\n`), name)
    for (const [flag, { type }] of Object.entries(command.flags))
      assert.match(
        own.stdout,
        new RegExp(`^    (-\\w, )?--${flag}${type === "boolean" ? "" : "=[A-Z]+"}:?$`, "m"),
      )
  }
  const { stdout } = await home.run("version", "--help")
  assert.match(stdout, /\n\nOptions:\n {4}--client:\n\tAsk no server.\n\n {4}--home=DIR:\n\t.*\n/)
  assert.match(stdout, /\n {4}-o, --output=FORMAT:\n\tjson or yaml.\n$/)
})

test("version tells what the command is, and of a cluster whose server does not answer that too", async () => {
  using home = new Home()
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8")) as {
    version: string
  }
  const line = `Client Version: v${manifest.version} (Kubernetes v1.37.2)\n`
  assert.deepEqual(await home.run("version"), { code: 0, stdout: line, stderr: "" })
  const json = await home.run("version", "-o", "json")
  const { clientVersion } = JSON.parse(json.stdout) as { clientVersion: Record<string, string> }
  assert.deepEqual(
    [clientVersion["gitVersion"], clientVersion["kubernetesVersion"], clientVersion["nodeVersion"]],
    [`v${manifest.version}`, "v1.37.2", process.version],
  )
  assert.match((await home.run("version", "--output=yaml")).stdout, /^clientVersion:\n {2}gitVersion: v/)
  assert.equal((await home.run("version", "-o", "x")).stderr, "error: --output must be 'yaml' or 'json'\n")
  const none = await home.run("version", "--name", "none")
  assert.deepEqual([none.code, none.stdout], [1, line])
  assert.match(
    none.stderr,
    /^error: the server of the cluster "none" does not answer: there is no such cluster in /,
  )
  home.stopped("default")
  const stopped = await home.run("version")
  assert.deepEqual([stopped.code, stopped.stdout], [1, line])
  assert.match(stopped.stderr, /^error: the server of the cluster "default" does not answer: /)
  assert.deepEqual(await home.run("version", "--client"), { code: 0, stdout: line, stderr: "" })
})

test(
  "what a full disk does not take is named, and a disk in a cluster's folder is not removed",
  { skip: process.getuid?.() !== 0 && "mounting needs root" },
  async () => {
    using home = new Home()
    const cluster = home.stopped("full")
    const disk = join(cluster.dir, "store")
    mkdirSync(disk)
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk])
    try {
      const file = join(disk, "file")
      assert.throws(() => writeAtomically(file, "x".repeat(100_000)), {
        message: `write ${file}: no space left on device`,
      })
      assert.deepEqual(readdirSync(disk), [])
      const { code, stderr } = await home.run("delete", "--name", "full")
      assert.equal(code, 1)
      assert.ok(
        stderr.startsWith(`error: "${disk}" is a disk of its own, which can not be removed: unmount`),
        stderr,
      )
      assert.equal(cluster.exists, true)
    } finally {
      execFileSync("umount", [disk])
    }
    assert.equal((await home.run("delete", "--name", "full")).code, 0)
  },
)

test("a cluster that does not run is shown, found, stopped once more and deleted", async () => {
  using home = new Home()
  assert.deepEqual(await home.run("status"), {
    code: 0,
    stdout: `No clusters in ${home.dir}; create one with "knarr up"\n`,
    stderr: "",
  })
  const [one, other] = [home.stopped("one"), home.stopped("other")]
  const shown = (cluster: ClusterHome): string =>
    `cluster ${cluster.name}: stopped\n  kubeconfig  ${cluster.kubeconfig}\n`
  assert.deepEqual(await home.run("status"), { code: 1, stdout: shown(one) + shown(other), stderr: "" })
  assert.deepEqual(await home.run("status", "--name", "other"), {
    code: 1,
    stdout: shown(other),
    stderr: "",
  })
  const find = await home.run("kubeconfig", "--name=one")
  assert.deepEqual(find, { code: 0, stdout: `${one.kubeconfig}\n`, stderr: "" })
  const load = await home.run("image", "load", "x.tar", "--name", "one")
  assert.deepEqual(load, { code: 1, stdout: "", stderr: 'error: the cluster "one" is not running\n' })
  const stop = await home.run("down", "--name", "one")
  assert.deepEqual(stop, { code: 0, stdout: 'Cluster "one" is not running\n', stderr: "" })
  const gone = await home.run("delete", "--name", "one")
  assert.deepEqual(gone, { code: 0, stdout: 'Deleted cluster "one"\n', stderr: "" })
  assert.equal(existsSync(one.dir), false)
  assert.deepEqual((await home.run("status")).stdout, shown(other))
})

test("a cluster whose settings are damaged is named with their file, can be deleted, and is in nobody's way", async () => {
  for (const [text, problem] of [
    ["", "Unexpected end of JSON input"],
    ['{"name":"bad","ind', "Unterminated string in JSON at position 18 (line 1 column 19)"],
    ["null", "it has no number or no port"],
    ["{}", "it has no number or no port"],
  ]) {
    using home = new Home()
    const [bad, good] = [home.stopped("bad"), home.stopped("good")]
    const file = join(bad.dir, "cluster.json")
    writeFileSync(file, text!)
    const message = `error: the cluster "bad" cannot be used: ${file}: ${problem}; put a copy of the file back, or remove the cluster with "knarr delete --name bad"\n`
    for (const command of ["up", "down", "status", "kubeconfig"]) {
      const refused = await home.run(command, "--name", "bad")
      assert.deepEqual(refused, { code: 1, stdout: "", stderr: message }, command)
    }
    assert.deepEqual(await home.run("status"), {
      code: 1,
      stdout: `cluster bad: damaged\ncluster good: stopped\n  kubeconfig  ${good.kubeconfig}\n`,
      stderr: message,
    })
    const print = (): void => {}
    const ctx = { clock: systemClock, signal: new AbortController().signal, print }
    const wish = { ranges: {}, port: undefined, agents: 0, hasNode: false }
    const other = await decideConfig(new ClusterHome(home.dir, "other"), wish, ctx)
    other.lock[Symbol.dispose]()
    assert.equal(other.config.name, "other")
    const gone = await home.run("delete", "--name", "bad")
    assert.deepEqual(gone, { code: 0, stdout: 'Deleted cluster "bad"\n', stderr: "" })
    assert.equal(existsSync(bad.dir), false)
  }
})
