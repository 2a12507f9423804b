/** Reads a V8 CPU profile: where the time of a process goes. */
import { existsSync, readFileSync } from "node:fs"
import { SourceMap } from "node:module"
import { relative } from "node:path"
import { fileURLToPath } from "node:url"
import { root } from "./workspace.ts"

interface Profile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: {
      readonly functionName: string
      readonly url: string
      readonly lineNumber: number
      readonly columnNumber: number
    }
  }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** The functions with the most time of their own, a line each, with the source's file and line. */
export function topFunctions(file: string, count: number): string {
  const profile = JSON.parse(readFileSync(file, "utf8")) as Profile
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, describe(callFrame)]))
  const own = new Map<string, number>()
  let busy = 0
  profile.samples.forEach((id, at) => {
    const name = names.get(id)!
    if (name === "(idle)") return
    const spent = profile.timeDeltas[at] ?? 0
    busy += spent
    own.set(name, (own.get(name) ?? 0) + spent)
  })
  return [...own]
    .sort(([, a], [, b]) => b - a)
    .slice(0, count)
    .map(([name, spent]) => `    ${((100 * spent) / busy).toFixed(1).padStart(5)}%  ${name}\n`)
    .join("")
}

const maps = new Map<string, SourceMap | undefined>()

function describe(frame: Profile["nodes"][number]["callFrame"]): string {
  const name = frame.functionName || "(anonymous)"
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
