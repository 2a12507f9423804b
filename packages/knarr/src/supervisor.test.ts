import assert from "node:assert/strict"
import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test, type TestContext } from "node:test"
import { systemClock, type Clock } from "@knarr/base"
import { ClusterHome, defaultRanges } from "./cluster-home.ts"
import { isRunning, runningPid, runningProcess } from "./pid-file.ts"
import { restoreFiles } from "./process-files.ts"
import { lastErrorLine, processState, tellRestarting } from "./process-state.ts"
import { answeringStep } from "./start-progress.ts"
import { startProcess, stopProcess, unitArguments } from "./supervisor.ts"

const script = join(import.meta.dirname, "supervise.sh")
const { signal } = new AbortController()

/** A cluster's folder with a supervised shell script as its server; `$pid` and `$starts` are files for it. */
function begin(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "knarr-supervisor-"))
  const cluster = new ClusterHome(dir, "c")
  const ranges = defaultRanges(0)
  cluster.write({ name: "c", index: 0, ...ranges, port: 1, registryPort: 2, agents: 0, hasNode: false })
  mkdirSync(join(cluster.dir, "logs"), { recursive: true })
  const started: ChildProcess[] = []
  t.after(async () => {
    await stopProcess(cluster, "server", systemClock, signal)
    for (const one of started) if (one.exitCode === null && one.signalCode === null) await once(one, "exit")
    rmSync(dir, { recursive: true })
  })
  /** What writes its own pid file as the processes of a cluster do. */
  const tellPid = `set -- $$ $(cut -d' ' -f22 /proc/$$/stat); echo "$@" >${cluster.pidFile("server")}`
  const supervise = (work: string): ChildProcess => {
    const command = [script, cluster.processPrefix("server"), cluster.log("server"), "sh", "-c"]
    const child = spawn("sh", [...command, `${tellPid}; echo started >>${dir}/starts; ${work}`], {
      stdio: "ignore",
    })
    started.push(child)
    return child
  }
  const starts = (): number =>
    existsSync(`${dir}/starts`) ? readFileSync(`${dir}/starts`, "utf8").split("\n").length - 1 : 0
  return { cluster, dir, supervise, starts }
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await systemClock.sleep(5, signal)
}

const forever = "while :; do sleep 0.02; done"

test("a process that is killed runs again, and it is told how it ended", { timeout: 30_000 }, async (t) => {
  const { cluster, supervise, starts } = begin(t)
  supervise(forever)
  await until(() => starts() === 1 && processState(cluster, "server").supervisorPid !== undefined)
  const { pid } = processState(cluster, "server")
  process.kill(pid!, "SIGKILL")
  await until(() => starts() === 2 && processState(cluster, "server").pid !== undefined)
  const after = processState(cluster, "server")
  assert.notEqual(after.pid, pid)
  assert.deepEqual([after.restarts, after.lastExit, after.pauseMs], [1, "signal SIGKILL", 0])
  assert.match(readFileSync(cluster.log("server"), "utf8"), /WARN .*process=server exit="signal SIGKILL"/)
})

test("what ends at once is started later each time, and says why", { timeout: 30_000 }, async (t) => {
  const { cluster, supervise } = begin(t)
  supervise(`echo 2026-01-01T00:00:00.000Z ERROR Cannot start >&2; exit 3`)
  const pauses = new Map<number, number>()
  await until(() => {
    const { restarts, pauseMs } = processState(cluster, "server")
    if (pauseMs > 0) pauses.set(restarts, pauseMs)
    return pauseMs >= 400
  })
  for (const [restarts, pauseMs] of pauses) assert.equal(pauseMs, 100 * 2 ** (restarts - 2))
  assert.match(tellRestarting(cluster), /^server is started again \(\d+ restarts\): exit code 3$/)
  assert.equal(lastErrorLine(cluster, "server"), "2026-01-01T00:00:00.000Z ERROR Cannot start")
})

test(
  "what has let go of its file and does not end is killed after a while",
  { timeout: 30_000 },
  async (t) => {
    const { cluster, supervise, starts } = begin(t)
    const supervisor = supervise(`trap 'rm -f ${cluster.pidFile("server")}' TERM; ${forever}`)
    await until(() => starts() === 1 && processState(cluster, "server").supervisorPid !== undefined)
    const orphan = runningProcess(cluster.pidFile("server"))!
    supervisor.kill("SIGKILL")
    await once(supervisor, "exit")
    // A second is a quarter of a minute.
    const hasty: Clock = {
      now: () => systemClock.now(),
      monotonic: () => systemClock.monotonic() * 15,
      timer: (ms, fn) => systemClock.timer(ms, fn),
      sleep: (ms, stop) => systemClock.sleep(ms, stop),
      hold: (limitMs) => systemClock.hold(limitMs),
    }
    assert.equal(await stopProcess(cluster, "server", hasty, signal), true)
    assert.equal(isRunning(orphan), false)
  },
)

test("a process that hangs in its very end is killed and runs again", { timeout: 30_000 }, async (t) => {
  const { cluster, dir, supervise, starts } = begin(t)
  const program = `
    import { runDaemon } from ${JSON.stringify(join(import.meta.dirname, "daemon.ts"))}
    import { ClusterHome } from ${JSON.stringify(join(import.meta.dirname, "cluster-home.ts"))}
    import { systemClock, systemRandom } from "@knarr/base"
    process.on("exit", () => { for (;;); })
    const cluster = new ClusterHome(${JSON.stringify(dir)}, "c")
    const ctx = { clock: systemClock, random: systemRandom, environment: {}, signal: new AbortController().signal }
    await runDaemon("server", { cluster, config: cluster.read() }, ctx, async ({ scope }) => {
      scope.run("part", async () => { throw new Error("broken") })
    })`
  writeFileSync(join(dir, "hang.ts"), program)
  symlinkSync(join(import.meta.dirname, "../../../node_modules"), join(dir, "node_modules"))
  const node = `${process.execPath} --disable-warning=ExperimentalWarning ${dir}/hang.ts`
  supervise(
    `[ $(grep -c . ${dir}/starts) -gt 1 ] || { rm ${cluster.pidFile("server")}; exec ${node}; }; ${forever}`,
  )
  await until(() => starts() === 2)
  assert.equal(processState(cluster, "server").lastExit, "signal SIGKILL")
  assert.match(
    readFileSync(cluster.log("server"), "utf8"),
    /ERROR A task failed task=server\/part err=broken/,
  )
})

test("a supervisor whose file was removed is found again", { timeout: 30_000 }, async (t) => {
  const { cluster, supervise, starts } = begin(t)
  const { pid } = supervise(forever)
  await until(() => starts() === 1 && processState(cluster, "server").supervisorPid === pid)
  rmSync(cluster.supervisorFile("server"))
  rmSync(cluster.stateFile("server"))
  assert.equal(processState(cluster, "server").supervisorPid, undefined)
  restoreFiles(cluster, cluster.read()!)
  assert.equal(processState(cluster, "server").supervisorPid, pid)
})

test("a stop is passed on, awaited, and ends the supervisor", { timeout: 30_000 }, async (t) => {
  const { cluster, dir, supervise, starts } = begin(t)
  const supervisor = supervise(`trap 'echo stopped >${dir}/stopped; exit 0' TERM; ${forever}`)
  await until(() => starts() === 1 && processState(cluster, "server").supervisorPid !== undefined)
  const exited = once(supervisor, "exit")
  assert.equal(await stopProcess(cluster, "server", systemClock, signal), true)
  assert.equal(readFileSync(`${dir}/stopped`, "utf8"), "stopped\n")
  assert.deepEqual(await exited, [0, null])
  assert.equal(starts(), 1)
  assert.equal(await stopProcess(cluster, "server", systemClock, signal), false)
})

test("a stop in the pause between two starts ends the supervisor", { timeout: 30_000 }, async (t) => {
  const { cluster, supervise } = begin(t)
  const supervisor = supervise("exit 1")
  await until(() => processState(cluster, "server").pauseMs >= 200)
  const exited = once(supervisor, "exit")
  await stopProcess(cluster, "server", systemClock, signal)
  assert.deepEqual(await exited, [0, null])
})

test(
  "a new supervisor ends what a killed one left, and an older one gives way",
  { timeout: 30_000 },
  async (t) => {
    const { cluster, supervise, starts } = begin(t)
    const first = supervise(forever)
    await until(() => starts() === 1 && processState(cluster, "server").supervisorPid === first.pid)
    const left = processState(cluster, "server").pid!
    first.kill("SIGKILL")
    await once(first, "exit")
    assert.deepEqual(
      [processState(cluster, "server").pid, processState(cluster, "server").supervisorPid],
      [left, undefined],
    )
    const second = supervise(forever)
    await until(() => starts() === 2 && processState(cluster, "server").supervisorPid === second.pid)
    await until(() => ![undefined, left].includes(runningPid(cluster.pidFile("server"))))
    const third = supervise(forever)
    await until(() => starts() === 3 && processState(cluster, "server").supervisorPid === third.pid)
    if (second.exitCode === null) await once(second, "exit")
    assert.equal(second.exitCode, 0)
  },
)

test("a supervisor whose folder is gone ends", { timeout: 30_000 }, async (t) => {
  const { cluster, supervise, starts } = begin(t)
  const supervisor = supervise(forever)
  await until(() => starts() === 1 && processState(cluster, "server").supervisorPid !== undefined)
  const { pid } = processState(cluster, "server")
  rmSync(cluster.dir, { recursive: true })
  process.kill(pid!, "SIGKILL")
  assert.deepEqual(await once(supervisor, "exit"), [0, null])
})

test("a unit starts again what is killed, ends in order when asked, and spares containers", () => {
  assert.deepEqual(
    unitArguments("knarr-c", ["sh", "x"], { PATH: "/bin", "BASH_FUNC_x%%": "() { :; }" }, "/log"),
    [
      "--quiet",
      "--collect",
      "--unit=knarr-c",
      "--service-type=exec",
      "--property=Restart=on-failure",
      "--property=RestartSec=100ms",
      "--property=StartLimitIntervalSec=0",
      "--property=KillMode=process",
      "--property=Delegate=yes",
      "--property=TasksMax=infinity",
      "--property=LimitNOFILE=1048576",
      "--property=StandardOutput=append:/log",
      "--property=StandardError=append:/log",
      "--setenv=PATH",
      "--",
      "sh",
      "x",
    ],
  )
})

for (const [what, step, stays] of [
  ["a server that can be asked", answeringStep, true],
  ["a process that cannot", "containerd started", false],
] as const)
  test(`what does not get further is told of and given up; ${what} ${stays ? "stays up" : "is stopped"}`, async (t) => {
    const { cluster } = begin(t)
    writeFileSync(cluster.log("server"), "2026-01-01T00:00:00.000Z ERROR An older one\n")
    const [pid, progress] = [cluster.pidFile("server"), cluster.progressFile("server")]
    const work = `echo $$ $(cut -d' ' -f22 /proc/$$/stat) >${pid}
      printf '{"pid":%d}\\n{"step":"${step}","ms":1}\\n' $$ >${progress}
      echo "9999-01-01T00:00:00.000Z ERROR No such webhook" >&2; ${forever}`
    const [steps, waits]: string[][] = [[], []]
    const options = { cluster, process: "server", command: ["sh", "-c", work], clock: systemClock, signal }
    const onStep = (one: string): void => void steps!.push(one)
    const onWait = (why: string): void => void waits!.push(why)
    const why = "9999-01-01T00:00:00.000Z ERROR No such webhook"
    await assert.rejects(startProcess({ ...options, onStep, onWait, patienceMs: 200, stepLimitMs: 500 }), {
      message: `server is not ready, and has not got further for 0.5 s: ${why}`,
    })
    assert.deepEqual(steps, [step])
    assert.equal(waits!.at(-1), why)
    assert.equal(processState(cluster, "server").pid !== undefined, stays)
  })
