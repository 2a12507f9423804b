/** `knarr simulate`: a scenario on virtual time, in this process alone. */
import { formatGoDuration } from "@knarr/apimachinery"
import { defineCommand } from "./command.ts"

export const simulate = defineCommand({
  name: "simulate",
  usage: "FILE [--seed N] [--verbose]",
  summary:
    "Run a scenario on virtual time and say what happened; exits 1 when something that it expects did not come about",
  flags: { seed: { type: "string" }, verbose: { type: "boolean" } },
  positionals: ["FILE"],
  async run({ flags, positionals }, ctx) {
    const { loadScenario } = await import("../simulate/load-scenario.ts")
    const { runScenario } = await import("../simulate/run-scenario.ts")
    const { numberFlag } = await import("./cluster-flags.ts")
    const scenario = await loadScenario(positionals[0]!)
    const seed = numberFlag(flags, "seed", 0, Number.MAX_SAFE_INTEGER) ?? scenario.seed
    const begun = ctx.clock.monotonic()
    const report = await runScenario(
      { ...scenario, seed },
      { print: (line) => ctx.print(`${line}\n`), verbose: flags["verbose"] === true },
    )
    const { results, failures, podsMade } = report
    const broken = results.filter(({ kept }) => !kept)
    const seconds = ((ctx.clock.monotonic() - begun) / 1000).toFixed(1)
    ctx.print(
      `\n${formatGoDuration(scenario.durationMs)} in ${seconds} s (seed ${seed}): ${podsMade} pods made, ` +
        `${results.length - broken.length} of ${results.length} expectations kept` +
        `${failures.length > 0 ? `, ${failures.length} events failed` : ""}\n`,
    )
    for (const { text, instead } of broken) ctx.print(`BROKEN: ${text}; ${instead}\n`)
    for (const failure of failures) ctx.print(`FAILED ${failure}\n`)
    return broken.length > 0 || failures.length > 0 ? 1 : 0
  },
})
