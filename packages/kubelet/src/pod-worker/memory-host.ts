/** A machine without disk, cgroups or network, for simulated nodes: it remembers small files and does nothing else. */
import type { KubeletHost } from "./host.ts"

export interface MemoryHostOptions {
  /** The answer of `httpGet` hooks; default 200. */
  readonly request?: (url: string) => number
}

export function createMemoryHost(options: MemoryHostOptions = {}): KubeletHost {
  const files = new Map<string, string>()
  const under = (dir: string, path: string): boolean => path === dir || path.startsWith(`${dir}/`)
  return {
    async makeDir() {},
    async writeFile(path, text) {
      files.set(path, text)
    },
    async readFile(path) {
      return files.get(path)
    },
    async readTail(path, maxBytes) {
      return files.get(path)?.slice(-maxBytes)
    },
    async remove(path) {
      for (const name of files.keys()) if (under(path, name)) files.delete(name)
    },
    async list(dir) {
      const names = new Set<string>()
      for (const path of files.keys())
        if (path.startsWith(`${dir}/`)) names.add(path.slice(dir.length + 1).split("/")[0]!)
      return [...names]
    },
    async symlink() {},
    async kindOf(path) {
      if (files.has(path)) return "file"
      for (const name of files.keys()) if (under(path, name)) return "dir"
      return "none"
    },
    async etcHosts() {
      return "127.0.0.1\tlocalhost\n"
    },
    async resolvConf() {
      return ""
    },
    async bindSubPath(volumeDir, subPath) {
      return `${volumeDir}/${subPath}`
    },
    async unbindUnder() {},
    async setCgroup() {},
    async removeCgroup() {},
    async listCgroups() {
      return []
    },
    async request({ url }) {
      return options.request?.(url) ?? 200
    },
  }
}
