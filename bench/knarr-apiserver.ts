/**
 * The process that the benchmark measures: the API server on the embedded store, with every built-in kind.
 * `node knarr-apiserver.ts DIR PORT`; DIR holds the files of credentials.ts. Ends with its standard input.
 */
import { readFileSync } from "node:fs"
import { Session } from "node:inspector/promises"
import { createInterface } from "node:readline"
import { join } from "node:path"
import { writeFileSync } from "node:fs"
import { kinds } from "@knarr/api"
import { startApiServer } from "@knarr/apiserver"
import { Scope, createLogger, systemClock, systemRandom, Meter } from "@knarr/base"
import { openEmbeddedStore } from "@knarr/store"

const [dir, port] = process.argv.slice(2) as [string, string]
const log = createLogger({ clock: systemClock, level: "info", write: (line) => process.stderr.write(line) })
const env = { clock: systemClock, random: systemRandom, log, meter: new Meter() }
const file = (name: string): string => readFileSync(join(dir, name), "utf8")
const scope = new Scope("bench")
const stop = (): void => void scope.close().finally(() => process.exit(0))
process.once("SIGTERM", stop).once("SIGINT", stop)

let session: Session | undefined
const commands = createInterface({ input: process.stdin })
commands.on("close", stop)
commands.on("line", (line) => void obey(line))

const store = scope.use(await openEmbeddedStore({ dir: join(dir, "store"), env }))
await startApiServer({
  env,
  store,
  kinds,
  scope: scope.child("apiserver"),
  bindAddresses: ["127.0.0.1"],
  port: Number(port),
  certificates: { cert: file("server.crt"), key: file("server.key"), clientCA: file("ca.crt") },
  clientCA: file("ca.crt"),
  serviceAccounts: { signingKey: file("sa.key"), issuers: ["https://kubernetes.default.svc"] },
  serviceCIDRs: ["10.96.0.0/16"],
})

async function obey(line: string): Promise<void> {
  const [command, argument] = line.split(" ")
  if (command === "profile") {
    session ??= new Session()
    session.connect()
    await session.post("Profiler.enable")
    await session.post("Profiler.setSamplingInterval", { interval: 500 })
    await session.post("Profiler.start")
  } else if (command === "save") {
    const { profile } = await session!.post("Profiler.stop")
    session!.disconnect()
    writeFileSync(argument!, JSON.stringify(profile))
  }
  process.stdout.write("done\n")
}
