/** Reads a V8 CPU profile: where the time of a process goes. */
import { existsSync, readFileSync } from "node:fs"
import { SourceMap } from "node:module"
import { relative } from "node:path"
import { fileURLToPath } from "node:url"
import { root } from "./workspace.ts"

interface CallFrame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
  readonly columnNumber: number
}

interface Profile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: CallFrame
    readonly children?: readonly number[]
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** Times of one function in microseconds. */
interface Spent {
  own: number
  /** Together with what it calls. */
  total: number
}

/**
 * The functions with the most time of their own, then those of this repository with the most time in all that
 * they call, `count` lines each, with the source's file and line. Shares are of the time that the process was busy.
 */
export function topFunctions(file: string, count: number): string {
  const profile = JSON.parse(readFileSync(file, "utf8")) as Profile
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, describe(callFrame)]))
  const parents = new Map<number, number>()
  for (const { id, children } of profile.nodes) for (const child of children ?? []) parents.set(child, id)
  const spent = new Map<string, Spent>()
  const of = (name: string): Spent => {
    let found = spent.get(name)
    if (!found) spent.set(name, (found = { own: 0, total: 0 }))
    return found
  }
  let busy = 0
  profile.samples.forEach((id, at) => {
    const name = names.get(id)!
    // Waiting, and the profiler's own work.
    if (name === "(idle)" || name.startsWith("post node:inspector")) return
    const delta = profile.timeDeltas[at] ?? 0
    busy += delta
    of(name).own += delta
    const seen = new Set<string>()
    for (let node: number | undefined = id; node !== undefined; node = parents.get(node))
      seen.add(names.get(node)!)
    for (const one of seen) of(one).total += delta
  })
  const lines = (read: (one: Spent) => number, keep: (name: string) => boolean): string =>
    [...spent]
      .filter(([name]) => keep(name))
      .sort(([, a], [, b]) => read(b) - read(a))
      .slice(0, count)
      .map(([name, one]) => `    ${((100 * read(one)) / busy).toFixed(1).padStart(5)}%  ${name}\n`)
      .join("")
  const own = lines(
    ({ own }) => own,
    () => true,
  )
  const total = lines(
    ({ total }) => total,
    (name) => name.includes(" packages/"),
  )
  return `  own time\n${own}  with what it calls\n${total}`
}

const maps = new Map<string, SourceMap | undefined>()

function describe(frame: CallFrame): string {
  const name = frame.functionName || "(native)"
  if (!frame.url.startsWith("file:")) return frame.url ? `${name} ${frame.url}:${frame.lineNumber + 1}` : name
  const file = fileURLToPath(frame.url)
  if (!maps.has(file)) {
    const source = `${file}.map`
    maps.set(file, existsSync(source) ? new SourceMap(JSON.parse(readFileSync(source, "utf8"))) : undefined)
  }
  const entry = maps.get(file)?.findEntry(frame.lineNumber, frame.columnNumber)
  if (entry && "originalSource" in entry) {
    const original = entry.originalSource.replace(/^(\.\.\/)+/, "")
    return `${name} ${original}:${entry.originalLine + 1}`
  }
  return `${name} ${relative(root, file)}:${frame.lineNumber + 1}`
}
