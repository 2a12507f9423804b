/**
 * `npm run diff`: the same requests to the published control plane and to Knarr's, and what differs in the answers.
 *
 *   --group NAME,…    readonly, golden, minimal, onewrong, update, verbs, subresources, custom, policies, content
 *   --kind RE         only scripts whose name matches: `core.v1.Pod`, `lists-pods`, …
 *   --step RE         report only steps whose name matches (whole scripts are asked)
 *   --show RE         print requests and answers of differences whose cause or place matches
 *   --limit N         how many of those; default 10
 *   --causes N        how many causes to print; default 40 (the file has all)
 *   --accepted        show also what accepted.json explains
 *   --bin DIR         the folder of kube-apiserver and etcd; default: built into the cache when they are not there
 *   --ask             ask the reference again, although its answers are kept
 *   --out FILE        where everything that differs goes; default <cache>/diff.txt
 *   --threshold P     the exit code is 1 below so many percent of equal answers; default 0
 *   --vectors         renew the chosen groups in tools/diff/vectors.json.gz, which `npm test` asks Knarr
 *
 * The reference's answers are kept in `$KNARR_REFERENCE` (default ~/.cache/knarr-reference) under `answers/`: it is
 * built and started only when a script is new or has changed.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { Scope } from "@knarr/base"
import { withWorkspace } from "../../bench/workspace.ts"
import { cacheDir, keepAnswers, knownAnswers } from "./answers.ts"
import { compareAnswers } from "./compare.ts"
import { groups } from "./groups/index.ts"
import { describeFinding, placeOf, readAccepted, Report } from "./report.ts"
import type { Script } from "./script.ts"
import { normaliseAnswers, runScripts, type RawAnswers } from "./send.ts"
import { knarrTarget, referenceTarget } from "./servers.ts"
import { writeVectors } from "./vectors.ts"

const { values } = parseArgs({
  options: {
    group: { type: "string" },
    kind: { type: "string", default: "" },
    step: { type: "string", default: "" },
    show: { type: "string" },
    limit: { type: "string", default: "10" },
    causes: { type: "string", default: "40" },
    accepted: { type: "boolean", default: false },
    bin: { type: "string" },
    ask: { type: "boolean", default: false },
    out: { type: "string", default: join(cacheDir, "diff.txt") },
    threshold: { type: "string", default: "0" },
    vectors: { type: "boolean", default: false },
  },
})
async function main(): Promise<void> {
  const names = values.group?.split(",")
  const unknown = names?.find((name) => !groups.some((group) => group.name === name))
  if (unknown !== undefined) throw new Error(`Unknown group "${unknown}"`)
  const kind = new RegExp(values.kind, "i")
  const chosen = groups
    .filter(({ name }) => !names || names.includes(name))
    .map(({ scripts }) => scripts().filter(({ name }) => kind.test(name)))
  const reference = await referenceAnswers(chosen)
  const knarr = await knarrAnswers(chosen)
  const report = new Report(readAccepted())
  const step = new RegExp(values.step)
  for (const script of chosen.flat()) {
    const left = normaliseAnswers(script, reference.get(script)!)
    const right = normaliseAnswers(script, knarr.get(script)!)
    for (const one of script.steps) {
      if (one.quiet || !step.test(one.name)) continue
      const { total, differences } = compareAnswers(left[one.name] ?? {}, right[one.name] ?? {})
      report.add(script, one, total, differences)
    }
  }
  const causes = report.causes()
  const all = report.findings.map(describeFinding).join("\n\n")
  writeFileSync(values.out, `${report.summary()}\n${causes}\n\n${all}\n`)
  const first = causes
    .split("\n")
    .filter((line) => !line.startsWith("      "))
    .slice(0, Number(values.causes))
  process.stdout.write(`${first.join("\n")}\n\n${report.summary()}All differences: ${values.out}\n`)
  if (values.show !== undefined) {
    const show = new RegExp(values.show)
    const shown = report.findings
      .filter((one) => values.accepted || one.accepted === undefined)
      .filter((one) => show.test(one.cause) || show.test(placeOf(one)))
    process.stdout.write(`${shown.slice(0, Number(values.limit)).map(describeFinding).join("\n\n")}\n`)
  }
  if (values.vectors) writeVectors(chosen.flat(), reference, knarr)
  if (report.percent < Number(values.threshold)) process.exitCode = 1
}

async function referenceAnswers(chosen: readonly (readonly Script[])[]): Promise<Map<Script, RawAnswers>> {
  const answers = new Map<Script, RawAnswers>()
  const asked = chosen.map((scripts) =>
    scripts.filter((script) => {
      const known = values.ask ? undefined : knownAnswers(script)
      if (known) answers.set(script, known)
      return !known
    }),
  )
  if (asked.every((scripts) => scripts.length === 0)) return answers
  await withWorkspace(async (workspace) => {
    const target = await referenceTarget(workspace, values.bin)
    try {
      for (const scripts of asked)
        await runScripts(target, scripts, (script, got) => {
          keepAnswers(script, got)
          answers.set(script, got)
        })
    } finally {
      target.agent.destroy()
    }
  })
  return answers
}

async function knarrAnswers(chosen: readonly (readonly Script[])[]): Promise<Map<Script, RawAnswers>> {
  const answers = new Map<Script, RawAnswers>()
  await using scope = new Scope("diff")
  const target = await knarrTarget(scope)
  for (const scripts of chosen)
    await runScripts(target, scripts, (script, got) => void answers.set(script, got))
  return answers
}

try {
  await main()
} catch (thrown) {
  process.stderr.write(`error: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`)
  process.exitCode = 1
}
