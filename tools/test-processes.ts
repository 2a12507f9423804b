/**
 * Which test files share a process. To load the modules of a package costs a process up to a second, more than most
 * files' tests take, so that files of one package run in one, a few at a time. What a test leaves open is found all the same,
 * at the end of its process (leaks.ts).
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { entryOf } from "@knarr/base"

/** Few enough that processors are busy to the end, and that what is left open is soon found. */
const filesPerProcess = 16
/** Of test/: each of these starts whole control planes. */
const planesPerProcess = 4

/**
 * What belongs to the whole process: hooks of the file's own, what is measured of it, the environment, budgets that
 * begin when the file is loaded, and a file that runs itself again in a place of its own.
 */
const needsOwnProcess =
  /^(?:before|after|beforeEach|afterEach)\(|\b(?:cpuUsage|memoryUsage|processorMs|process\.env|import\.meta\.filename)\b|^const signal = AbortSignal\.timeout/m

/**
 * What takes long, as measured, because it tries a great many things or has the machine's kernel and programs at work:
 * begun first, each in a process of its own, so that the end is not one of them alone, and not in the quick gate.
 */
export const long: readonly string[] = [
  "packages/store/src/embedded/embedded-store.crash.test.ts",
  "tools/diff/diff.test.ts",
  "tools/fuzz/fuzz.test.ts",
  "packages/store/src/etcd/etcd-store.test.ts",
  "test/integration/kubelet/kubelet-containerd.test.ts",
  "test/integration/several-servers.test.ts",
  "test/integration/etcd-faults.test.ts",
  "test/integration/virtual-cluster.test.ts",
  "test/integration/controllers/faults.test.ts",
  "packages/proxy/src/service-proxy.test.ts",
  "packages/knarr/src/decide-config.test.ts",
  "packages/kubelet/src/runtime/cri-runtime.test.ts",
  "packages/store/src/embedded/failures.test.ts",
  "packages/pod-network/src/host-obstacles.test.ts",
  "packages/knarr/src/dns-shares.test.ts",
  "packages/apiserver/src/registry/memory.test.ts",
  "packages/store/src/embedded/defragmentation.test.ts",
]

/** Test files of the patterns, from the root. */
export function findTests(root: string, patterns: readonly string[]): string[] {
  return globSync([...patterns], { cwd: root }).sort()
}

/**
 * The files to run, each in a process of its own, what takes most first: tests as they are, and files that import several,
 * written for it.
 */
export function processesFor(root: string, files: readonly string[]): string[] {
  const dir = join(root, "node_modules/.cache/tests")
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(dir, { recursive: true })
  const absolute = (file: string): string => join(root, file)
  const first = long.filter((file) => files.includes(file))
  const alone: string[] = []
  const together = new Map<string, string[]>()
  for (const file of files.toSorted((a, b) => Number(hasPlanes(b)) - Number(hasPlanes(a)))) {
    if (first.includes(file)) continue
    if (needsOwnProcess.test(readFileSync(absolute(file), "utf8"))) alone.push(file)
    else entryOf(together, file.split("/").slice(0, 2).join("-"), () => []).push(file)
  }
  const shared = together.entries().flatMap(([name, members]) => {
    const processes = Math.ceil(
      members.length / (hasPlanes(members[0]!) ? planesPerProcess : filesPerProcess),
    )
    return Array.from({ length: processes }, (_, i) => {
      const [from, to] = [i, i + 1].map((part) => Math.round((part * members.length) / processes))
      const own = members.slice(from, to).map(absolute)
      if (own.length === 1) return own[0]!
      const file = join(dir, `${name}-${i}.test.mjs`)
      writeFileSync(file, own.map((path) => `import ${JSON.stringify(path)}\n`).join(""))
      return file
    })
  })
  return [...first.map(absolute), ...shared, ...alone.map(absolute)]
}

function hasPlanes(file: string): boolean {
  return file.startsWith("test/")
}
