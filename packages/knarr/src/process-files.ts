/**
 * The files that name a cluster's processes, made again when somebody removed them while the processes run: nobody
 * would find these any more, and another `up` would start them a second time.
 */
import { readFileSync, readdirSync } from "node:fs"
import { basename } from "node:path"
import type { ClusterConfig, ClusterHome } from "./cluster-home.ts"
import { nameProcess, runningPid } from "./pid-file.ts"
import { processesOf } from "./process-state.ts"
import { simulatedProcess } from "./simulated-names.ts"

/** Looks at the machine's processes only when a file is missing or out of date. */
export function restoreFiles(cluster: ClusterHome, config: ClusterConfig): void {
  const missing = processesOf(config).filter(
    (name) =>
      runningPid(cluster.pidFile(name)) === undefined ||
      runningPid(cluster.supervisorFile(name)) === undefined,
  )
  if (missing.length === 0) return
  const running = readdirSync("/proc").flatMap((entry) => {
    const pid = Number(entry)
    return pid > 0 ? [{ pid, args: argumentsOf(pid) }] : []
  })
  for (const name of missing) {
    const restore = (file: string, isIt: (args: readonly string[]) => boolean): void => {
      if (runningPid(file) !== undefined) return
      const found = running.find(({ args }) => isIt(args))
      if (found) nameProcess(file, found.pid)
    }
    restore(cluster.supervisorFile(name), (args) => isSupervisor(args, cluster, name))
    restore(cluster.pidFile(name), (args) => isProcess(args, cluster, name))
  }
}

/** `sh …/supervise.sh PREFIX LOG COMMAND…` */
export function isSupervisor(args: readonly string[], cluster: ClusterHome, name: string): boolean {
  return /(^|\/)supervise\.sh$/.test(args[1] ?? "") && args[2] === cluster.processPrefix(name)
}

/** `node … server --cluster-dir DIR`, `node … agent --node-name NAME --cluster-dir DIR`, `node … simulated-nodes …` */
export function isProcess(args: readonly string[], cluster: ClusterHome, name: string): boolean {
  const end = [...processWords(name), "--cluster-dir", cluster.dir]
  const isNode = basename(args[0] ?? "") === basename(process.execPath)
  return isNode && args.length > end.length && end.every((word, i) => args.at(i - end.length) === word)
}

/** The command that is the process of that name. */
export function processWords(name: string): string[] {
  return name === "server" || name === simulatedProcess ? [name] : ["agent", "--node-name", name]
}

/** Empty for one that has ended, or belongs to the kernel. */
function argumentsOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1)
  } catch {
    return []
  }
}
