/**
 * The cgroups of pods, on version 1 (each controller a hierarchy of its own), version 2, or both side by side.
 * Mirrors: pkg/kubelet/cm/cgroup_manager_linux.go
 */
import { existsSync, readdirSync, realpathSync } from "node:fs"
import { mkdir, readFile, readdir, rmdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { Clock } from "@knarr/base"
import { quotaPeriod, sharesToWeight, type CgroupResources } from "./linux-resources.ts"

/** Where the kernel shows cgroups. */
const mountPoint = "/sys/fs/cgroup"
/** What pods are bounded by; other controllers' cgroups are the runtime's affair. */
const usedControllers = ["cpu", "memory", "pids"]
const removeTries = 100

export class Cgroups {
  readonly #root: string
  readonly #clock: Clock
  readonly #version: 1 | 2
  /** Version 1: controller → the folder of its hierarchy. */
  readonly #hierarchies = new Map<string, string>()
  /** Every hierarchy, for cleaning up what the runtime made in others. */
  readonly #all: string[]
  readonly #made = new Set<string>()

  constructor(clock: Clock, root: string = mountPoint) {
    this.#clock = clock
    this.#root = root
    this.#version = existsSync(join(root, "cgroup.controllers")) ? 2 : 1
    this.#all = this.#version === 2 ? [root] : this.#findHierarchies()
  }

  get version(): 1 | 2 {
    return this.#version
  }

  async set(path: string, resources: CgroupResources): Promise<void> {
    if (this.#version === 2) await this.#set2(path, resources)
    else await this.#set1(path, resources)
  }

  /** Kills what is left in the cgroup and those below it, and removes them. */
  async remove(path: string): Promise<void> {
    this.#made.delete(path)
    await Promise.all(this.#all.map((hierarchy) => this.#removeTree(join(hierarchy, path))))
  }

  async list(path: string): Promise<readonly string[]> {
    const names = new Set<string>()
    for (const hierarchy of this.#all)
      for (const name of await foldersIn(join(hierarchy, path))) names.add(name)
    return [...names]
  }

  #findHierarchies(): string[] {
    const all: string[] = []
    for (const name of existsSync(this.#root) ? readdirSync(this.#root) : []) {
      // Links such as `cpu` → `cpu,cpuacct` are one hierarchy.
      const folder = realpathSync(join(this.#root, name))
      if (!existsSync(join(folder, "cgroup.procs"))) continue
      if (!all.includes(folder)) all.push(folder)
      for (const controller of name.split(","))
        if (usedControllers.includes(controller)) this.#hierarchies.set(controller, folder)
    }
    return all
  }

  async #set1(path: string, resources: CgroupResources): Promise<void> {
    const { cpuShares, cpuQuota, memoryLimit, pidsLimit } = resources
    if (!this.#made.has(path)) {
      await Promise.all(
        [...new Set(this.#hierarchies.values())].map((folder) =>
          mkdir(join(folder, path), { recursive: true }),
        ),
      )
      this.#made.add(path)
    }
    const write = async (controller: string, file: string, value: number | undefined): Promise<void> => {
      const folder = this.#hierarchies.get(controller)
      if (folder !== undefined && value !== undefined)
        await writeFile(join(folder, path, file), String(value))
    }
    await write("cpu", "cpu.shares", cpuShares)
    if (cpuQuota !== undefined) {
      await write("cpu", "cpu.cfs_period_us", quotaPeriod)
      await write("cpu", "cpu.cfs_quota_us", cpuQuota)
    }
    await write("memory", "memory.limit_in_bytes", memoryLimit)
    await write("pids", "pids.max", pidsLimit)
  }

  async #set2(path: string, resources: CgroupResources): Promise<void> {
    const { cpuShares, cpuQuota, memoryLimit, pidsLimit } = resources
    const folder = join(this.#root, path)
    if (!this.#made.has(path)) {
      const parts = path.split("/").filter((part) => part !== "")
      let at = this.#root
      for (const part of parts) {
        await this.#delegate(at)
        at = join(at, part)
        await mkdir(at, { recursive: true })
      }
      this.#made.add(path)
    }
    const write = (file: string, value: string): Promise<void> => writeFile(join(folder, file), value)
    if (cpuShares !== undefined) await write("cpu.weight", String(sharesToWeight(cpuShares)))
    if (cpuQuota !== undefined) await write("cpu.max", `${cpuQuota > 0 ? cpuQuota : "max"} ${quotaPeriod}`)
    if (memoryLimit !== undefined) await write("memory.max", String(memoryLimit))
    if (pidsLimit !== undefined) await write("pids.max", String(pidsLimit))
  }

  /** Lets cgroups below `folder` be bounded. */
  async #delegate(folder: string): Promise<void> {
    const available = (await readFile(join(folder, "cgroup.controllers"), "utf8")).trim().split(" ")
    const on = (await readFile(join(folder, "cgroup.subtree_control"), "utf8")).trim().split(" ")
    for (const controller of available) {
      if (controller === "" || on.includes(controller)) continue
      try {
        await writeFile(join(folder, "cgroup.subtree_control"), `+${controller}`)
      } catch (thrown) {
        if (usedControllers.includes(controller)) throw thrown
      }
    }
  }

  async #removeTree(folder: string): Promise<void> {
    for (let left = removeTries; ; left--) {
      try {
        await rmdir(folder)
        return
      } catch (thrown) {
        const { code } = thrown as NodeJS.ErrnoException
        if (code === "ENOENT") return
        if (left === 0 || (code !== "EBUSY" && code !== "ENOTEMPTY")) throw thrown
      }
      const inner = await foldersIn(folder)
      for (const name of inner) await this.#removeTree(join(folder, name))
      if (inner.length > 0) continue
      await killAll(folder)
      await this.#clock.sleep(10, new AbortController().signal)
    }
  }
}

async function foldersIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true })
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
  } catch {
    return []
  }
}

async function killAll(folder: string): Promise<void> {
  let pids: string
  try {
    pids = await readFile(join(folder, "cgroup.procs"), "utf8")
  } catch {
    return
  }
  for (const line of pids.split("\n")) {
    const pid = Number(line)
    if (!(pid > 1)) continue
    try {
      process.kill(pid, "SIGKILL")
    } catch {
      // It has just ended.
    }
  }
}
