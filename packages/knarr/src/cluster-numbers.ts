/**
 * Which cluster of this machine has which number: one folder per number, with a claim that names the cluster's folder
 * and its ranges. They last until the machine is restarted, as the networks do that they stand for. Claims are made
 * and changed by whoever holds the lock.
 */
import { spawn } from "node:child_process"
import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ipv4Network, type IPv4Network } from "@knarr/apimachinery"
import { deferred } from "@knarr/base"
import { UsageError, writeAtomically, type ClusterRanges } from "./cluster-home.ts"
import { maxClusters } from "./cluster-ranges.ts"
import { machineDir } from "./machine.ts"

/** A number that is taken. */
export interface Claim extends ClusterRanges {
  readonly index: number
  /** The cluster's folder. */
  readonly dir: string
  /** The API server's and the registry's port. */
  readonly ports: readonly number[]
}

export class ClusterNumbers {
  readonly #dir: string

  /** `dir` is one for the whole machine. */
  constructor(dir: string = machineDir) {
    this.#dir = dir
  }

  /**
   * Waits until nobody else decides what clusters of this machine share. The lock is the kernel's: it ends with the
   * process that holds it.
   */
  async lock(signal: AbortSignal): Promise<Disposable> {
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 })
    const { uid, mode } = lstatSync(this.#dir)
    if (uid !== process.getuid?.() || (mode & 0o22) !== 0)
      throw new UsageError(`${this.#dir} can be written by others: remove it first`)
    const fd = openSync(join(this.#dir, "lock"), "a", 0o600)
    try {
      const child = spawn("flock", ["--exclusive", "3"], { stdio: ["ignore", "ignore", "pipe", fd], signal })
      const ended = deferred<string>()
      let said = ""
      child.stderr!.setEncoding("utf8").on("data", (text: string) => (said += text))
      child.on("error", (error) => (signal.aborted ? ended.reject(signal.reason) : ended.reject(error)))
      child.on("close", (code) => ended.resolve(code === 0 ? "" : said.trim() || `exit code ${code}`))
      const problem = await ended.promise
      if (problem) throw new Error(`Cannot lock ${this.#dir}: ${problem}`)
    } catch (thrown) {
      closeSync(fd)
      throw thrown
    }
    let held = true
    return {
      [Symbol.dispose]: () => {
        if (held) closeSync(fd)
        held = false
      },
    }
  }

  /** All claims, dead ones too. What cannot be read is none. */
  claims(): Claim[] {
    return list(this.#dir).flatMap((name) => (/^\d{1,2}$/.test(name) ? (this.#read(Number(name)) ?? []) : []))
  }

  /** Those of clusters that are gone: without a folder, and without a process that works for them. */
  deadClaims(): Claim[] {
    return this.claims().filter(
      ({ dir, index }) => !existsSync(join(dir, "cluster.json")) && this.processesOf(index, dir).length === 0,
    )
  }

  /** The processes that have the number's folder, or the cluster's, among their words. */
  processesOf(index: number, clusterDir?: string): number[] {
    const paths = [join(this.#dir, String(index)), ...(clusterDir === undefined ? [] : [clusterDir])]
    return commandLines()
      .filter(({ words }) => words.some((word) => paths.some((path) => `${word}/`.includes(`${path}/`))))
      .map(({ pid }) => pid)
  }

  /** Numbers that nobody has, in order. */
  free(): number[] {
    const taken = new Set(this.claims().map(({ index }) => index))
    return Array.from({ length: maxClusters }, (_, index) => index).filter((index) => !taken.has(index))
  }

  /** The cluster's claim, or that of another cluster on its number; undefined when nobody has it. */
  ownerOf(index: number): Claim | undefined {
    return this.#read(index)
  }

  /** Replaces the number's claim. */
  claim(claim: Claim): void {
    const dir = join(this.#dir, String(claim.index))
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    writeAtomically(join(dir, "claim.json"), `${JSON.stringify(claim)}\n`)
  }

  /** Gives the number back, with its sockets. Another cluster's stays. */
  release(index: number, clusterDir: string): void {
    if (this.#read(index)?.dir === clusterDir)
      rmSync(join(this.#dir, String(index)), { recursive: true, force: true })
  }

  /** The ranges of this machine's other clusters, at this moment. */
  rangesOfOthers(index: number): IPv4Network[] {
    return this.claims()
      .filter((claim) => claim.index !== index)
      .flatMap(({ podCIDR, serviceCIDR, nodeCIDR }) => [podCIDR, serviceCIDR, nodeCIDR])
  }

  #read(index: number): Claim | undefined {
    try {
      const text = readFileSync(join(this.#dir, String(index), "claim.json"), "utf8")
      const { dir, ports, podCIDR, serviceCIDR, nodeCIDR } = JSON.parse(text) as Claim
      const [pods, services, nodes] = [podCIDR, serviceCIDR, nodeCIDR].map(ipv4Network)
      return { index, dir, ports: ports ?? [], podCIDR: pods!, serviceCIDR: services!, nodeCIDR: nodes! }
    } catch {
      return undefined
    }
  }
}

/** Where users without root keep their lock: only their own clusters, without nodes, are meant. */
export function numbersOfUser(): ClusterNumbers {
  const uid = process.getuid?.()
  return uid === 0 ? new ClusterNumbers() : new ClusterNumbers(join(tmpdir(), `knarr-${uid}`))
}

/** The words of every process' command. */
function commandLines(): { readonly pid: number; readonly words: readonly string[] }[] {
  return list("/proc").flatMap((name) => {
    if (!/^\d+$/.test(name)) return []
    try {
      return [{ pid: Number(name), words: readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0") }]
    } catch {
      return []
    }
  })
}

function list(dir: string): string[] {
  try {
    return readdirSync(dir)
  } catch {
    return []
  }
}
