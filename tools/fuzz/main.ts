/**
 * `npm run fuzz`: tries made-up inputs on everything that reads what others send, for a while.
 *
 *   --minutes N     how long, shared among the targets; default 1
 *   --target RE     only targets whose name matches
 *   --seed N        replays a run; default: by the time
 *   --out DIR       where findings go; default: ~/.cache/knarr-fuzz
 *   --replay FILE   tries the input in a finding or in a file of the corpus
 *   --list          names the targets
 *   --last FILE     tries in this process, and writes each input there before it is tried; without, each target has a
 *                   process of its own
 *
 * The exit code is 1 when something was found.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { homedir, tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { systemClock } from "@knarr/base"
import { runTarget, tryOne, type Found } from "./run.ts"
import type { Target } from "./target.ts"
import { targets } from "./targets/index.ts"

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    target: { type: "string", default: "" },
    seed: { type: "string" },
    out: { type: "string", default: join(homedir(), ".cache/knarr-fuzz") },
    replay: { type: "string" },
    list: { type: "boolean", default: false },
    last: { type: "string" },
  },
})

const say = (text: string): void => void process.stdout.write(`${text}\n`)

function keep(found: Found): void {
  mkdirSync(values.out, { recursive: true })
  const file = join(values.out, `${found.target}-${found.seed ?? 0}-${found.index ?? "end"}.json`)
  writeFileSync(file, `${JSON.stringify(found, null, 2)}\n`)
  const input = JSON.stringify(found.input)
  say(
    `\n${found.target}, seed ${found.seed}, input ${found.index ?? "none"}: ${found.message.slice(0, 1000)}`,
  )
  say(`  ${input.length > 1000 ? `${input.slice(0, 1000)}…` : input}\n  npm run fuzz -- --replay ${file}\n`)
  process.exitCode = 1
}

async function replay(file: string): Promise<void> {
  const { target: name, input } = JSON.parse(readFileSync(file, "utf8")) as Found
  const target = targets.find((one) => one.name === name)
  if (!target) throw new Error(`Cannot replay "${file}": there is no target "${name}"`)
  const message = await tryOne(target, input)
  say(message ?? "nothing is wrong any more")
  if (message !== undefined) process.exitCode = 1
}

async function run(): Promise<void> {
  const match = new RegExp(values.target)
  const chosen = targets.filter(({ name }) => match.test(name))
  if (chosen.length === 0) throw new Error(`Cannot find a target that matches "${values.target}"`)
  if (values.list) return say(chosen.map(({ name }) => name).join("\n"))
  const seed = Number(values.seed ?? systemClock.now() % 2 ** 31)
  const shareMs = (Number(values.minutes) * 60_000) / chosen.length
  if (values.last === undefined)
    say(`seed ${seed}, ${(shareMs / 1000).toFixed(1)} s for each of ${chosen.length} targets`)
  for (const target of chosen)
    await (values.last === undefined
      ? runAside(target, seed, shareMs)
      : runHere(target, seed, shareMs, values.last))
}

async function runHere(target: Target, seed: number, forMs: number, last: string): Promise<void> {
  const start = systemClock.monotonic()
  let count = 0
  const tried = await runTarget(target, {
    seed,
    more: () => systemClock.monotonic() - start < forMs,
    onTry: (input) => writeFileSync(last, JSON.stringify(input)),
    onFound(found) {
      count++
      keep(found)
    },
  })
  say(`${target.name}: ${tried} inputs, ${count === 0 ? "nothing found" : `${count} findings`}`)
}

/** In a process of its own: one that dies is a finding, and the run goes on. */
async function runAside({ name }: Target, seed: number, forMs: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "knarr-fuzz-"))
  const last = join(dir, "last.json")
  try {
    const args = ["--target", `^${name}$`, "--seed", `${seed}`, "--minutes", `${forMs / 60_000}`]
    const child = spawn(
      process.execPath,
      [...process.execArgv, import.meta.filename, ...args, "--out", values.out, "--last", last],
      { stdio: "inherit" },
    )
    const [code, signal] = (await once(child, "exit")) as [number | null, string | null]
    if (code === 1) process.exitCode = 1
    if (code === 0 || code === 1) return
    const input: unknown = existsSync(last) ? JSON.parse(readFileSync(last, "utf8")) : null
    const message = `its process ended with ${signal ?? `exit code ${code}`}; this or an earlier input broke it`
    keep({ target: name, seed, message, input })
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

try {
  await (values.replay === undefined ? run() : replay(values.replay))
} catch (thrown) {
  process.stderr.write(`error: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`)
  process.exitCode = 1
}
