/**
 * Recorded vectors: some scripts with the reference's answers, kept in the repository, so that a test can ask Knarr
 * without a reference. A step whose answers differ is sent, as later ones may stand on it, but not compared.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import type { Answer } from "./normalise.ts"
import type { Script } from "./script.ts"
import { normaliseAnswers, type RawAnswers } from "./send.ts"

export interface Vector {
  readonly script: Script
  /** Step to what the reference answered. */
  readonly answers: Readonly<Record<string, Answer>>
}

const file = join(import.meta.dirname, "vectors.json.gz")

export function readVectors(): Vector[] {
  return JSON.parse(gunzipSync(readFileSync(file)).toString("utf8")) as Vector[]
}

/** Of long scripts every so many steps are kept, so that every kind and group is there and the file small. */
const mostSteps = 12

export function writeVectors(
  scripts: readonly Script[],
  reference: ReadonlyMap<Script, RawAnswers>,
  knarr: ReadonlyMap<Script, RawAnswers>,
): void {
  const vectors = scripts.filter(isKept).map((script): Vector => {
    const left = normaliseAnswers(script, reference.get(script)!)
    const right = normaliseAnswers(script, knarr.get(script)!)
    const kept = thinned(script)
    const answers: Record<string, Answer> = {}
    for (const step of kept.steps)
      if (
        left[step.name] &&
        !isOfTheMoment(left[step.name]!) &&
        JSON.stringify(left[step.name]) === JSON.stringify(right[step.name])
      )
        answers[step.name] = left[step.name]!
    return { script: kept, answers }
  })
  // Groups that were not asked stay as they are.
  const asked = new Set(scripts.map(({ group }) => group))
  const others = readVectors().filter(({ script }) => !asked.has(script.group))
  writeFileSync(file, gzipSync(JSON.stringify([...others, ...vectors]), { level: 9 }))
}

/** Managed fields within a text are ordered by the second in which they were written: JSON in a text, or several in YAML. */
export function isOfTheMoment(answer: Answer): boolean {
  const count = (text: string, part: RegExp): number => text.match(part)?.length ?? 0
  return Object.values(answer).some(
    (text) =>
      text.includes(String.raw`\\\"managedFields`) ||
      count(text, /\\n +manager: /g) > count(text, /\bmanagedFields:\\n/g),
  )
}

/**
 * Documents of many megabytes, what waits a second time and again, and what other scripts of the group also show
 * are left to `npm run diff`.
 */
function isKept({ group, name }: Script, index: number): boolean {
  if (group === "readonly") return name !== "openapi"
  if (group === "golden") return index % 4 === 0
  if (group === "minimal") return index % 2 === 0
  if (group === "content") return true
  return !/^(watches|forms)-|^(lists|options|patches)-(secrets|services|leases)$/.test(name)
}

/** Without what waits (watches, and versions to come) and without the document of all kinds. */
function thinned(whole: Script): Script {
  const script = {
    ...whole,
    steps: whole.steps.filter(
      ({ path }) => !/timeoutSeconds=1|resourceVersion=99999999|^\/openapi\/v2/.test(path),
    ),
  }
  // Steps of these stand alone: each is a dry run.
  if (script.group !== "onewrong" && script.group !== "update") return script
  const own = script.steps.filter((step) => !step.quiet && !step.save)
  if (own.length <= mostSteps) return script
  const chosen = new Set(
    Array.from({ length: mostSteps }, (_, i) => own[Math.floor((i * own.length) / mostSteps)]!),
  )
  return { ...script, steps: script.steps.filter((step) => step.quiet || step.save || chosen.has(step)) }
}
