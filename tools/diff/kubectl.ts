/**
 * Compares our kubectl with the published one of the same release: each command by both, against one control plane.
 *
 *   node tools/diff/kubectl.ts [PATTERN]   shows the differences of the commands that the pattern matches; default: all
 *   node tools/diff/kubectl.ts --record    renews what kubectl.test.ts compares with: the published one's descriptions
 */
import { execFile } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { homedir, tmpdir } from "node:os"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { openStage, runOurs, textOf, type Result } from "./kubectl-stage.ts"

const published = join(
  process.env["KNARR_REFERENCE"] ?? join(homedir(), ".cache/knarr-reference"),
  "bin/kubectl",
)
const [argument = ""] = process.argv.slice(2)
const dir = mkdtempSync(join(tmpdir(), "knarr-kubectl-"))
try {
  await using stage = await openStage(dir, (text) => process.stderr.write(text))
  const ask = (command: string): Promise<Result> =>
    run(published, command.split(" "), { KUBECONFIG: stage.kubeconfig, HOME: dir })
  if (argument === "--record") {
    const recorded: Record<string, string> = {}
    // The order of a range's rows is left to chance.
    for (const command of stage.commands.filter((one) => /^describe (?!limitranges).*\./.test(one)))
      recorded[command] = textOf(await ask(command))
    writeFileSync(join(import.meta.dirname, "kubectl.json.gz"), gzipSync(JSON.stringify(recorded)))
  } else {
    let [equal, different] = [0, 0]
    for (const command of stage.commands.filter((one) => new RegExp(argument).test(one))) {
      const texts = [textOf(await ask(command)), textOf(await runOurs(command.split(" "), stage))]
      if (texts[0] === texts[1]) {
        equal++
        continue
      }
      different++
      const files = ["published", "ours"].map((name) => join(dir, name))
      for (const [i, file] of files.entries()) writeFileSync(file, texts[i]!)
      const { out } = await run("diff", ["-u", ...files], {})
      process.stdout.write(`=== kubectl ${command}\n${out}`)
    }
    process.stdout.write(`${equal} equal, ${different} different\n`)
  }
} finally {
  rmSync(dir, { recursive: true, force: true })
}

function run(file: string, args: readonly string[], env: Record<string, string>): Promise<Result> {
  return new Promise((resolve) => {
    const options = { env: { ...process.env, ...env }, maxBuffer: 1e8, timeout: 30_000 }
    execFile(file, args, options, (error, out, err) => resolve({ out, err, code: Number(error?.code ?? 0) }))
  })
}
