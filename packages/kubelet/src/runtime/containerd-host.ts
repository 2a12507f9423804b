/** What the machine and its containerd can do. Found out once and remembered in the configuration's first line. */
import { accessSync, constants, mkdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { runCommand } from "./process.ts"

export interface HostFeatures {
  /** containerd's major version. */
  readonly major: number
  readonly snapshotter: string
  readonly apparmor: boolean
  readonly restrictOomScoreAdj: boolean
  /** A comment line that lets the next start skip the questions. */
  readonly stamp: string
}

const stampPrefix = "# Written by knarr on each start. "

/** Asks the machine, or believes `configText`'s stamp when it was written for the same binary. */
export async function probeHost(dir: string, configText: string, signal: AbortSignal): Promise<HostFeatures> {
  const binary = findBinary("containerd")
  const { size, mtimeMs } = statSync(binary)
  const identity = `${binary} ${size} ${Math.round(mtimeMs)}`
  const volatile = {
    apparmor: readText("/sys/module/apparmor/parameters/enabled").startsWith("Y"),
    restrictOomScoreAdj: !hasCapability(24),
  }
  const firstLine = configText.slice(0, configText.indexOf("\n"))
  if (firstLine.startsWith(stampPrefix)) {
    const known = JSON.parse(firstLine.slice(stampPrefix.length)) as Record<string, unknown>
    if (known["identity"] === identity) {
      return {
        major: Number(known["major"]),
        snapshotter: String(known["snapshotter"]),
        stamp: firstLine,
        ...volatile,
      }
    }
  }
  const [major, snapshotter] = await Promise.all([majorVersion(signal), chooseSnapshotter(dir, signal)])
  const stamp = stampPrefix + JSON.stringify({ identity, major, snapshotter })
  return { major, snapshotter, stamp, ...volatile }
}

async function majorVersion(signal: AbortSignal): Promise<number> {
  const text = await runCommand("containerd", ["--version"], { signal })
  const match = /\bv?(\d+)\.\d+/.exec(text)
  if (!match) throw new Error(`Cannot read the version of containerd: "${text.trim()}"`)
  return Number(match[1])
}

/** `overlayfs` where the kernel can mount an overlay above `dir`'s file system, else `native`. */
async function chooseSnapshotter(dir: string, signal: AbortSignal): Promise<string> {
  const probe = join(dir, "overlay-probe")
  const at = (name: string): string => join(probe, name)
  try {
    for (const name of ["lower", "upper", "work", "merged"]) mkdirSync(at(name), { recursive: true })
    const layers = `lowerdir=${at("lower")},upperdir=${at("upper")},workdir=${at("work")}`
    await runCommand("mount", ["-t", "overlay", "overlay", "-o", layers, at("merged")], { signal })
    await runCommand("umount", [at("merged")], { signal })
    return "overlayfs"
  } catch {
    signal.throwIfAborted()
    return "native"
  } finally {
    rmSync(probe, { recursive: true, force: true })
  }
}

/** The path of a program; throws when it is not installed. */
export function findBinary(name: string): string {
  for (const dir of (process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin").split(":")) {
    const path = join(dir, name)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      continue
    }
  }
  throw new Error(`Cannot find "${name}": it is not installed`)
}

function hasCapability(bit: number): boolean {
  const match = /^CapEff:\s*(\w+)/m.exec(readText("/proc/self/status"))
  return match !== null && ((BigInt(`0x${match[1]}`) >> BigInt(bit)) & 1n) === 1n
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return ""
  }
}
