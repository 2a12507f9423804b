/**
 * Where a cluster lives on this machine: `$KNARR_HOME`, else `~/.knarr`, with one folder per cluster.
 *
 *     <home>/<name>/cluster.json   what `up` decided once: addresses, ports, number of agents
 *                   kubeconfig     the administrator's
 *                   pki/           certificates and keys
 *                   store/         the store
 *                   images/        blobs of the cluster's registry
 *                   registry-secret  the password for pushing to it
 *                   nodes/<node>/  a node's certificates, containerd root, volumes and logs
 *                   logs/          of each process, and two older files of it
 *                   <process>.*    pid of the process and of its supervisor, and how they are
 *
 * The processes are `server`, by its name the agent of each node, and `simulated-nodes`.
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs"
import { homedir } from "node:os"
import { join, resolve } from "node:path"
import {
  addressIn,
  ipv4Network,
  isDNS1123Label,
  type IPv4Address,
  type IPv4Network,
} from "@knarr/apimachinery"
import { asError } from "@knarr/base"
import { messageOf } from "@knarr/base"
import { nodeAddress } from "@knarr/pod-network"

/** The addresses of a cluster. Everything is host-only: nothing leaves the machine. */
export interface ClusterRanges {
  readonly podCIDR: IPv4Network
  readonly serviceCIDR: IPv4Network
  readonly nodeCIDR: IPv4Network
}

/** What a cluster keeps from one `up` to the next. */
export interface ClusterConfig extends ClusterRanges {
  readonly name: string
  /** Tells this machine's clusters apart: their bridges, default ranges and default ports follow from it. 0 to 99. */
  readonly index: number
  /** The API server's port. */
  readonly port: number
  /** The image registry's port. */
  readonly registryPort: number
  /** Further nodes beside the first. */
  readonly agents: number
  /** False: a control plane without a node. */
  readonly hasNode: boolean
  /** Nodes whose containers only pretend to run; default 0. */
  readonly simulatedNodes?: number
  /** The users' kubeconfig files into which `up` put the cluster. */
  readonly kubeconfigs?: readonly string[]
  /** Whether the cluster's own store was made: it is not made anew when it is gone. */
  readonly hasStore?: boolean
  /** Flags of the API server, by name, as `up` was given them. */
  readonly apiServer?: Readonly<Record<string, string>>
}

export class UsageError extends Error {
  constructor(message: string) {
    super(message)
    this.name = "UsageError"
  }
}

/** What a cluster keeps cannot be read. */
export class DamagedClusterError extends UsageError {
  constructor(name: string, file: string, problem: string) {
    super(
      `the cluster "${name}" cannot be used: ${file}: ${problem}; put a copy of the file back, or remove the cluster with "knarr delete --name ${name}"`,
    )
    this.name = "DamagedClusterError"
  }
}

export function knarrHome(
  flag: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string {
  return resolve(flag ?? env["KNARR_HOME"] ?? join(env["HOME"] ?? homedir(), ".knarr"))
}

/** The files of one cluster. */
export class ClusterHome {
  readonly home: string
  readonly name: string

  constructor(home: string, name: string) {
    const [problem] = isDNS1123Label(name)
    if (problem) throw new UsageError(`invalid cluster name "${name}": ${problem}`)
    this.home = home
    this.name = name
  }

  get dir(): string {
    return join(this.home, this.name)
  }
  get kubeconfig(): string {
    return join(this.dir, "kubeconfig")
  }
  get pki(): string {
    return join(this.dir, "pki")
  }
  get store(): string {
    return join(this.dir, "store")
  }
  get images(): string {
    return join(this.dir, "images")
  }
  /** What whoever pushes to the cluster's image registry must know. */
  get registrySecret(): string {
    return join(this.dir, "registry-secret")
  }
  get exists(): boolean {
    return existsSync(join(this.dir, "cluster.json"))
  }

  log(process: string): string {
    return join(this.dir, "logs", `${process}.log`)
  }
  /** What the names of a process's files begin with. */
  processPrefix(process: string): string {
    return join(this.dir, process)
  }
  /** Held by the process while it runs. */
  pidFile(process: string): string {
    return `${this.processPrefix(process)}.pid`
  }
  /** Names the supervisor; written by it. */
  supervisorFile(process: string): string {
    return `${this.processPrefix(process)}.supervisor`
  }
  /** How often and of what the process ended; written by the supervisor. */
  stateFile(process: string): string {
    return `${this.processPrefix(process)}.state`
  }
  /** How far the process's start is; written by the process. */
  progressFile(process: string): string {
    return `${this.processPrefix(process)}.progress`
  }
  /** Held while the cluster is being started; beside its folder, which may not be there yet. */
  get upFile(): string {
    return join(this.home, `.${this.name}.up`)
  }
  node(name: string): string {
    return join(this.dir, "nodes", name)
  }
  /** The node's own certificates and keys: all of the cluster's that its agent reads, but for that of the CA. */
  nodePki(name: string): string {
    return join(this.node(name), "pki")
  }
  get caCertificate(): string {
    return join(this.pki, "ca.crt")
  }

  /** Undefined when there is no such cluster. Throws a {@link DamagedClusterError} when what is kept cannot be read. */
  read(): ClusterConfig | undefined {
    const file = join(this.dir, "cluster.json")
    const text = readIfThere(file)
    if (text === undefined) return undefined
    try {
      return parseConfig(text)
    } catch (thrown) {
      throw new DamagedClusterError(this.name, file, messageOf(thrown))
    }
  }

  write(config: ClusterConfig): void {
    mkdirSync(join(this.dir, "logs"), { recursive: true, mode: 0o700 })
    writeAtomically(join(this.dir, "cluster.json"), JSON.stringify(config, undefined, 2) + "\n")
  }

  /**
   * Removes everything, the settings last: a removal that fails half-way can be tried again, and until then the settings
   * keep the server from making what is gone anew. Throws when the disk is read-only, before anything is removed.
   */
  remove(): void {
    if (!existsSync(this.dir)) return
    try {
      accessSync(this.dir, constants.W_OK)
      for (const name of readdirSync(this.dir))
        if (name !== "cluster.json") rmSync(join(this.dir, name), { recursive: true, force: true })
      rmSync(this.dir, { recursive: true, force: true })
    } catch (thrown) {
      throw new Error(
        `Cannot remove "${this.dir}": ${whyNot(thrown)}; nothing runs, and "knarr delete" goes on`,
        {
          cause: thrown,
        },
      )
    }
  }
}

function parseConfig(text: string): ClusterConfig {
  const stored = JSON.parse(text) as ClusterConfig
  if (typeof stored?.index !== "number" || typeof stored.port !== "number")
    throw new Error("it has no number or no port")
  const { podCIDR, serviceCIDR, nodeCIDR } = { ...defaultRanges(stored.index), ...stored }
  return {
    ...stored,
    podCIDR: ipv4Network(podCIDR),
    serviceCIDR: ipv4Network(serviceCIDR),
    nodeCIDR: ipv4Network(nodeCIDR),
  }
}

/** The clusters under a home, by name. */
export function listClusters(home: string): ClusterHome[] {
  if (!existsSync(home)) return []
  return readdirSync(home, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && isDNS1123Label(entry.name).length === 0)
    .map((entry) => new ClusterHome(home, entry.name))
    .filter((cluster) => cluster.exists)
    .sort((a, b) => a.name.localeCompare(b.name))
}

/** A crash leaves the old file or the new one, never half of one. */
export function writeAtomically(file: string, text: string, mode = 0o600): void {
  try {
    // Also when the machine crashes: a name must not come to the disk before what it stands for.
    writeFileSync(`${file}.tmp`, text, { mode, flush: true })
    renameSync(`${file}.tmp`, file)
  } catch (thrown) {
    // What a full disk took of it would be in the way of whoever makes room.
    rmSync(`${file}.tmp`, { force: true })
    throw writeFailure(file, thrown)
  }
}

/** Names the file, which Node does not when a disk is full. */
export function writeFailure(file: string, thrown: unknown): Error {
  const { code = "", message } = asError(thrown) as NodeJS.ErrnoException
  const text = reasons[code]?.text.toLowerCase()
  return new Error(text === undefined ? message : `write ${file}: ${text}`, { cause: thrown })
}

/** What kept a file from being written or removed: of common causes in words of their own. */
export function whyNot(thrown: unknown): string {
  const error = asError(thrown)
  // What Node's recursive removal throws has no code for most errors, only the system's text.
  const known = Object.entries(reasons).find(
    ([code, { text }]) => ("code" in error && error.code === code) || error.message.includes(text),
  )
  return known?.[1].why ?? error.message
}

const reasons: Readonly<Record<string, { readonly text: string; readonly why: string }>> = {
  EROFS: { text: "Read-only file system", why: "its disk is read-only" },
  ENOSPC: { text: "No space left on device", why: "no space is left on its disk" },
  EDQUOT: { text: "Disk quota exceeded", why: "the quota of its disk is used up" },
  EACCES: { text: "Permission denied", why: "permission is denied" },
  EPERM: { text: "Operation not permitted", why: "the operation is not permitted" },
  ENOENT: { text: "No such file or directory", why: "its folder is not there" },
  ENOTDIR: { text: "Not a directory", why: "what should be its folder is none" },
}

/** The text of a file; undefined when there is none (any more). */
export function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8")
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return undefined
    throw thrown
  }
}

/** The ranges of the cluster with this number when nobody has named others. */
export function defaultRanges(index: number): ClusterRanges {
  return {
    podCIDR: ipv4Network(`10.${244 - index}.0.0/16`),
    serviceCIDR: ipv4Network(`10.${96 + index}.0.0/16`),
    nodeCIDR: ipv4Network(`10.89.${index}.0/24`),
  }
}

/** The addresses that follow from a cluster's ranges. */
export function addressesOf(ranges: ClusterRanges): ClusterRanges & {
  /** The machine's own as the cluster's first node; the API server listens there. */
  readonly hostAddress: IPv4Address
  readonly apiServiceAddress: IPv4Address
  readonly dnsAddress: IPv4Address
} {
  const { podCIDR, serviceCIDR, nodeCIDR } = ranges
  return {
    podCIDR,
    serviceCIDR,
    nodeCIDR,
    hostAddress: nodeAddress(ranges, 0),
    apiServiceAddress: addressIn(serviceCIDR, 1),
    dnsAddress: addressIn(serviceCIDR, 10),
  }
}
