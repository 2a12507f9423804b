/** The `knarr` command. */
import { createLogger, Meter, systemClock, systemRandom } from "@knarr/base"
import { runCommandLine } from "./command-line.ts"
import { stopSignal } from "./stop-signal.ts"

// Whoever reads us may stop early (`knarr … | head`): that is no failure of ours to report.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1))
}
process.exitCode = await runCommandLine(process.argv.slice(2), {
  clock: systemClock,
  random: systemRandom,
  log: createLogger({
    clock: systemClock,
    level: process.env["KNARR_LOG"] === "debug" ? "debug" : "warn",
    write: (line) => process.stderr.write(line),
  }),
  meter: new Meter(),
  signal: stopSignal(),
  environment: process.env,
  print: (text) => process.stdout.write(text),
  warn: (text) => process.stderr.write(text),
})
