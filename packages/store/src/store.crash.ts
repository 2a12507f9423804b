/**
 * The crash suite: a process that uses a store as hard as it can is killed at a random moment, again and again,
 * and what it leaves behind must be what it was told. The rounds are many because one that passes proves
 * nothing: `KNARR_CRASH_ROUNDS` says how many, `KNARR_CRASH_SEED` repeats a run's choices (not its timing).
 */
import assert from "node:assert/strict"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { it } from "node:test"
import { fileURLToPath } from "node:url"
import { type Random, deferred, randomInt, seededRandom, systemClock, systemRandom } from "@knarr/base"
import { type CrashEngine, crashEngines, crashValue, crashValueId } from "./crash-engines.ts"
import type { KeyValue, Store, StoreEvent } from "./store.ts"

const childFile = fileURLToPath(new URL("./crash-child.ts", import.meta.url))
const watchers = 2
/** So many rounds go by on one store before a fresh one is taken. */
const roundsPerStore = 25

interface Acknowledged {
  readonly key: string
  /** Undefined for a deletion. */
  readonly id: string | undefined
  readonly revision: number
}

/** What is known of a store across its rounds. */
interface Expectations {
  /** The newest acknowledged write of each key. */
  readonly newest: Map<string, Acknowledged>
  /** The revision from which each of the child's watchers goes on. */
  readonly resume: number[]
  /** What the parent's own watcher has seen of the whole history: its end and the state it adds up to. */
  seen: number
  readonly state: Map<string, string>
}

/** Registers the suite for an engine of crash-engines.ts. */
export function storeCrash(name: string): void {
  const rounds = Number(process.env["KNARR_CRASH_ROUNDS"] ?? 50)
  const seed = Number(process.env["KNARR_CRASH_SEED"] ?? randomInt(systemRandom, 2 ** 31))
  const engine = crashEngines[name]!
  let defragmented = 0

  it(`${name}: after ${rounds} kills every acknowledged write is there (seed ${seed})`, async (test) => {
    const random = seededRandom(seed)
    let acknowledged = 0
    let dir = ""
    let expectations: Expectations | undefined
    let child: Child | undefined
    try {
      for (let round = 0; round < rounds; round++) {
        if (round % roundsPerStore === 0) {
          if (dir) await rm(dir, { recursive: true })
          dir = await mkdtemp(join(tmpdir(), "knarr-crash-"))
          expectations = { newest: new Map(), resume: [2, 2], seen: 1, state: new Map() }
          child?.process.kill("SIGKILL")
          child = undefined
        }
        child ??= startChild(name, dir, seed + round)
        const current = child
        // The next child loads its code while this one works and its work is checked.
        child = (round + 1) % roundsPerStore === 0 ? undefined : startChild(name, dir, seed + round + 1)
        const lines = await runAndKill(current, expectations!, random, engine)
        const where = `seed ${seed}, round ${round}`
        defragmented += lines.filter((line) => line.startsWith("defragmented ")).length
        acknowledged += await check(engine, dir, lines, expectations!, where)
      }
    } finally {
      child?.process.kill("SIGKILL")
      if (dir) await rm(dir, { recursive: true, force: true })
    }
    test.diagnostic(
      `seed ${seed}: ${rounds} kills, ${acknowledged} acknowledged writes, ${defragmented} defragmentations`,
    )
    if (rounds >= 20) assert.ok(acknowledged > rounds, "the children did next to nothing")
    if (rounds >= 20 && engine.defragments)
      assert.ok(defragmented > rounds / 10, "few copies took their place")
  })
}

interface Child {
  readonly process: ChildProcess
  /** What it has printed. */
  output: string
  readonly ended: Promise<void>
  readonly opened: Promise<void>
  /** Resolves when it has printed so many lines that begin with `start`, or has ended. */
  said(start: string, lines: number): Promise<void>
}

function startChild(engine: string, dir: string, seed: number): Child {
  const process_ = spawn(process.execPath, [childFile, engine, dir, String(seed)], {
    stdio: ["pipe", "pipe", "inherit"],
  })
  const opened = deferred()
  const ended = deferred()
  const child: Child = {
    process: process_,
    output: "",
    ended: ended.promise,
    opened: opened.promise,
    async said(start, lines) {
      const matching = (): number => child.output.split("\n").filter((line) => line.startsWith(start)).length
      while (process_.exitCode === null && matching() < lines)
        await Promise.race([once(process_.stdout!, "data"), ended.promise])
    },
  }
  process_.stdout!.setEncoding("utf8").on("data", (text: string) => {
    child.output += text
    opened.resolve()
  })
  process_.stdin!.on("error", () => {})
  process_.on("close", () => {
    opened.resolve()
    ended.resolve()
  })
  return child
}

async function runAndKill(
  child: Child,
  expectations: Expectations,
  random: Random,
  engine: CrashEngine,
): Promise<string[]> {
  const signal = new AbortController().signal
  child.process.stdin!.write(`${expectations.resume.join(" ")}\n`)
  // Now and then while it is still opening the store, else under load.
  if (random.next() < 0.1) await systemClock.sleep(random.next() * 60, signal)
  else {
    await child.opened
    if (engine.defragments) await child.said("defragmented ", randomInt(random, 3))
    else await child.said("", randomInt(random, 400))
    await systemClock.sleep(random.next() * 20, signal)
  }
  child.process.kill("SIGKILL")
  await child.ended
  const lines = child.output.split("\n")
  // The last piece is empty, or what was cut off.
  return lines.slice(0, -1)
}

/** Checks the store against what the child said; returns the number of writes that it was told are safe. */
async function check(
  engine: CrashEngine,
  dir: string,
  lines: readonly string[],
  expectations: Expectations,
  where: string,
): Promise<number> {
  const writes: Acknowledged[] = []
  for (const line of lines) {
    const [what, first, second, third] = line.split(" ")
    if (what === "put") writes.push({ key: first!, id: second!, revision: Number(third) })
    else if (what === "delete") writes.push({ key: first!, id: undefined, revision: Number(second) })
    else if (what === "seen") {
      const watcher = Number(first)
      assert.equal(
        Number(second),
        expectations.resume[watcher],
        `watcher ${watcher} skips or repeats: ${where}`,
      )
      expectations.resume[watcher]!++
    } else assert.match(line, /^(open|compacted|defragmented) \d+$/, where)
  }
  for (const write of writes) {
    const known = expectations.newest.get(write.key)
    if (!known || known.revision < write.revision) expectations.newest.set(write.key, write)
  }

  await using store = await engine.open(dir)
  for (let watcher = 0; watcher < watchers; watcher++)
    assert.ok(
      store.revision >= expectations.resume[watcher]! - 1,
      `a watcher saw what is not there: ${where}`,
    )
  for (const write of writes) {
    assert.ok(write.revision <= store.revision, `revision ${write.revision} is gone: ${where}`)
    const kv = await store.get(write.key, { revision: write.revision })
    assert.equal(kv && crashValueId(kv.value), write.id, `${write.key} at ${write.revision}: ${where}`)
    if (!kv) continue
    assert.equal(kv.modRevision, write.revision)
    checkBytes(kv, where)
  }
  for (const { key, id, revision } of expectations.newest.values()) {
    const kv = await store.get(key)
    if (kv?.modRevision === revision) assert.equal(crashValueId(kv.value), id, where)
    else if (kv) assert.ok(kv.modRevision > revision, `${key} is older than acknowledged: ${where}`)
    else if (id !== undefined) {
      const gone = await deletionAfter(store, key, revision)
      assert.ok(gone, `${key} was acknowledged and is not there: ${where}`)
    }
  }
  await follow(store, expectations, where)
  return writes.length
}

/** Reads on in the history from where the last round ended: without a gap, and adding up to the present state. */
async function follow(store: Store, expectations: Expectations, where: string): Promise<void> {
  const { state } = expectations
  for (const event of await eventsFrom(store, expectations.seen + 1)) {
    assert.equal(event.revision, expectations.seen + 1, `a gap in the revisions: ${where}`)
    expectations.seen = event.revision
    assert.equal(event.previous && crashValueId(event.previous.value), state.get(event.key), where)
    if (event.kv) {
      checkBytes(event.kv, where)
      state.set(event.key, crashValueId(event.kv.value))
    } else state.delete(event.key)
  }
  assert.equal(expectations.seen, store.revision, where)
  const { kvs, count } = await store.range({ prefix: "" })
  assert.equal(count, state.size, where)
  for (const kv of kvs) {
    checkBytes(kv, where)
    assert.equal(crashValueId(kv.value), state.get(kv.key), where)
  }
}

async function deletionAfter(store: Store, key: string, revision: number): Promise<boolean> {
  const from = Math.max(revision + 1, store.compactRevision)
  const events = await eventsFrom(store, from)
  // A deletion that compaction has removed was seen by an earlier round's check.
  return from > revision + 1 || events.some((event) => event.key === key && event.type === "delete")
}

async function eventsFrom(store: Store, from: number): Promise<StoreEvent[]> {
  const events: StoreEvent[] = []
  if (from > store.revision) return events
  const { signal } = new AbortController()
  for await (const batch of store.watch({ prefix: "", from, signal })) {
    events.push(...batch)
    if (events.at(-1)!.revision >= store.revision) break
  }
  return events
}

function checkBytes(kv: KeyValue, where: string): void {
  const id = crashValueId(kv.value)
  assert.ok(kv.value.equals(crashValue(id)), `the value of ${kv.key} at ${kv.modRevision} is torn: ${where}`)
}
