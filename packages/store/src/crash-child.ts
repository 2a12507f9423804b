/**
 * The process that the crash suite kills: opens the store when told to, and then writes as fast as it can with
 * several writers while watchers follow. Every line it prints is a fact that the parent will hold it to:
 *
 *     open <revision>            put <key> <id> <revision>       delete <key> <revision>
 *     seen <watcher> <revision>  compacted <revision>            failed <message>
 *     defragmented <revision>
 *
 * Arguments: engine, directory, seed. The first line of its input: the revisions from which watchers resume.
 */
import { readSync, writeSync } from "node:fs"
import { setTimeout as sleep } from "node:timers/promises"
import { messageOf, seededRandom } from "@knarr/base"
import { crashEngines, crashValue } from "./crash-engines.ts"

const [engine, dir, seedText] = process.argv.slice(2)
const seed = Number(seedText)
const random = seededRandom(seed)
const pick = (below: number): number => Math.floor(random.next() * below)

// Written at once and not through a stream, which would lose what it holds when the process is killed.
const say = (line: string): void => void writeSync(1, `${line}\n`)

const input = Buffer.alloc(256)
const resume = input.toString("utf8", 0, readSync(0, input)).trim().split(" ").map(Number)

const store = await crashEngines[engine!]!.open(dir!)
const opened = store.revision
say(`open ${opened}`)

/** Writes since the file was last made smaller: without a bound a slow disk would never be done with that. */
let writes = 0
const maxWrites = crashEngines[engine!]!.defragments ? 300 : Number.POSITIVE_INFINITY

async function write(writer: number): Promise<never> {
  for (let n = 0; ; n++) {
    while (writes >= maxWrites) await sleep(1)
    writes++
    const key = `/registry/crash/${pick(3)}/${pick(20)}`
    const expected = pick(2) === 0 ? { expected: (await store.get(key))?.modRevision ?? 0 } : {}
    if (pick(8) === 0) {
      const result = await store.delete(key, expected)
      if (result.ok && result.previous) say(`delete ${key} ${result.revision}`)
      continue
    }
    const id = `${seed}.${writer}.${n}`
    const result = await store.put(key, crashValue(id), expected)
    if (result.ok) say(`put ${key} ${id} ${result.revision}`)
  }
}

async function watch(watcher: number, from: number): Promise<void> {
  const { signal } = new AbortController()
  for await (const batch of store.watch({ prefix: "/registry/", from, signal })) {
    for (const event of batch) say(`seen ${watcher} ${event.revision}`)
  }
}

async function compact(): Promise<void> {
  const target = opened - 20
  if (pick(3) > 0 || target <= store.compactRevision) return
  await store.compact(target)
  say(`compacted ${target}`)
}

async function defragment(): Promise<void> {
  while (crashEngines[engine!]!.defragments) {
    if (!(await store.defragment!())) continue
    writes = 0
    say(`defragmented ${store.revision}`)
  }
}

try {
  await Promise.all([
    ...Array.from({ length: 8 }, (_, writer) => write(writer)),
    ...resume.map((from, watcher) => watch(watcher, from)),
    compact(),
    defragment(),
  ])
} catch (thrown) {
  say(`failed ${messageOf(thrown)}`)
}
