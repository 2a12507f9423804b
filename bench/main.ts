/**
 * `npm run bench -- api|churn|start|scheduler|scale|controllers [--quick] [--json FILE]`: Knarr and the reference (etcd and kube-apiserver of the
 * same release), measured in the same run on this machine.
 *
 *   api     throughput, latency, CPU and memory of the API server under load   (at most 4 minutes)
 *   churn   what the server holds once many objects have come and gone (`--minutes` and as much again)
 *   start   how long a cluster, an application and its replicas take to start  (at most 3 minutes)
 *   scale       a thousand simulated nodes, ten thousand pods, without the reference  (two minutes)
 *   controllers lives of objects on virtual time, without the reference  (some minutes)
 *   scheduler   what one decision costs at 2,000 and 5,000 nodes, without the reference  (a minute)
 *
 *   --quick           fewer and shorter rounds
 *   --json FILE       the figures as JSON as well
 *   --only WORD,…     api: only operations whose name contains a word
 *   --side SIDE       api: only "knarr" or "reference"
 *   --minutes N       churn: how long the load lasts; default 5
 *   --snapshot FILE   churn: a heap snapshot at the end
 *   --profile DIR     api: CPU profiles of Knarr, one per operation; the figures then include the profiler's cost
 */
import { writeFileSync } from "node:fs"
import { parseArgs } from "node:util"
import type { Side } from "./server.ts"
import { withWorkspace } from "./workspace.ts"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    json: { type: "string" },
    only: { type: "string" },
    side: { type: "string" },
    profile: { type: "string" },
    minutes: { type: "string", default: "5" },
    snapshot: { type: "string" },
  },
})
const print = (text: string): void => void process.stdout.write(text)
const [what] = positionals
const sides: readonly Side[] = ["reference", "knarr"]

async function main(): Promise<void> {
  const report =
    what === "scheduler"
      ? await schedulerReport()
      : what === "controllers"
        ? await controllersReport()
        : await comparison()
  if (values.json) writeFileSync(values.json, JSON.stringify(report, undefined, 2) + "\n")
}

async function schedulerReport(): Promise<unknown> {
  const { benchScheduler } = await import("./scheduler.ts")
  return benchScheduler({ quick: values.quick, print })
}

async function controllersReport(): Promise<unknown> {
  const { benchControllers } = await import("./controllers.ts")
  return benchControllers({ quick: values.quick, print })
}

function comparison(): Promise<unknown> {
  return withWorkspace(async (workspace) => {
    if (what === "start") {
      const { benchStart } = await import("./start.ts")
      return benchStart(workspace, { quick: values.quick, print })
    }
    if (what === "scale") {
      const { benchScale } = await import("./scale.ts")
      return benchScale(workspace, { quick: values.quick, print })
    }
    if (what === "churn") {
      const { benchChurn } = await import("./churn.ts")
      return benchChurn(workspace, { minutes: Number(values.minutes), snapshot: values.snapshot, print })
    }
    const { benchApi } = await import("./api.ts")
    return benchApi(workspace, {
      quick: values.quick,
      only: values.only?.split(","),
      sides: sides.filter((side) => !values.side || side === values.side),
      profile: values.profile,
      print,
    })
  })
}

const known = ["api", "churn", "start", "scheduler", "scale", "controllers"]
if (!known.includes(what ?? "")) {
  process.stderr.write(
    "usage: npm run bench -- api|churn|start|scheduler|scale|controllers [--quick] [--json FILE]\n",
  )
  process.exitCode = 2
} else {
  try {
    await main()
  } catch (thrown) {
    process.stderr.write(`error: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`)
    process.exitCode = 1
  }
}
