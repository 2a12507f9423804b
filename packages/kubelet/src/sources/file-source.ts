/**
 * Static pods: one manifest per file in a folder.
 * Mirrors: pkg/kubelet/config/file.go, pkg/kubelet/config/common.go
 */
import { createHash } from "node:crypto"
import { watch, type FSWatcher } from "node:fs"
import { mkdir, readFile, readdir } from "node:fs/promises"
import { join } from "node:path"
import { dropDisabledFields, pod as podKind, type Pod } from "@knarr/api"
import {
  aggregateMessage,
  decodeObject,
  deepClone,
  deepEqual,
  formatTime,
  loadYaml,
} from "@knarr/apimachinery"
import { abortable, deferred, messageOf, type Env } from "@knarr/base"
import { configHashAnnotation, configSeenAnnotation, configSourceAnnotation } from "../pod-worker/labels.ts"

export interface FileSourceOptions {
  readonly env: Env
  readonly dir: string
  readonly nodeName: string
}

/** Files change in bursts. */
const settleMs = 50
/** Where the file system does not tell of changes. */
const relistMs = 20_000

/** Tells every static pod that there is, at once and after each change, until `signal` is aborted. */
export async function watchManifests(
  options: FileSourceOptions,
  tell: (pods: readonly Pod[]) => void,
  signal: AbortSignal,
): Promise<void> {
  const { env, dir } = options
  const seen = new Map<string, string>()
  for (;;) {
    const changed = deferred()
    let watcher: FSWatcher | undefined
    try {
      await mkdir(dir, { recursive: true })
      watcher = watch(dir, () => changed.resolve())
      watcher.on("error", () => changed.resolve())
      tell(await readManifests(options, seen))
    } catch (thrown) {
      env.log.warn("Cannot read the folder of static pods", { dir, err: messageOf(thrown) })
    }
    try {
      using _timer = env.clock.timer(relistMs, () => changed.resolve())
      await abortable(changed.promise, signal)
    } finally {
      watcher?.close()
    }
    await env.clock.sleep(settleMs, signal)
  }
}

async function readManifests(options: FileSourceOptions, seen: Map<string, string>): Promise<Pod[]> {
  const { env, dir } = options
  const pods = new Map<string, Pod>()
  for (const entry of (await readdir(dir, { withFileTypes: true })).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  )) {
    if (entry.name.startsWith(".") || entry.isDirectory()) continue
    const path = join(dir, entry.name)
    try {
      const text = await readFile(path, "utf8")
      if (text.trim() === "") continue
      const parsed = await parseManifest(text, path, options)
      const { uid } = parsed.metadata
      if (!seen.has(uid)) seen.set(uid, formatTime(env.clock.now()))
      parsed.metadata.annotations![configSeenAnnotation] = seen.get(uid)!
      pods.set(`${parsed.metadata.namespace}/${parsed.metadata.name}`, parsed)
    } catch (thrown) {
      env.log.warn("Cannot read a static pod", { path, err: messageOf(thrown) })
    }
  }
  return [...pods.values()]
}

/** The API drops the fields of features that are off, and the writer sees that; of a file nobody would. */
function refuseDisabledFields({ spec }: Readonly<Pod>): void {
  const kept = deepClone(spec) as Pod["spec"]
  dropDisabledFields(kept)
  if (!deepEqual(kept, spec)) throw new Error("it sets a field of a feature that is disabled")
}

/** The pod of a manifest as this node runs it. Throws when it is none, or not valid. */
export async function parseManifest(
  text: string,
  path: string,
  { nodeName }: Pick<FileSourceOptions, "nodeName">,
): Promise<Pod> {
  const value = (await loadYaml()).parse(text) as Record<string, unknown>
  if (value?.["apiVersion"] !== "v1" || value["kind"] !== "Pod") throw new Error("it is not a v1 Pod")
  const pod = decodeObject<Pod>(podKind.schema, value).object
  pod.metadata ??= {} as Pod["metadata"]
  pod.status ??= {}
  const { metadata } = pod
  const hash = createHash("md5")
  hash.update(metadata.uid ? metadata.uid : `host:${nodeName}file:${path}${JSON.stringify(value)}`)
  metadata.uid ||= hash.digest("hex")
  metadata.name = `${metadata.name}-${nodeName.toLowerCase()}`
  metadata.namespace ||= "default"
  delete metadata.generation
  metadata.annotations = {
    ...metadata.annotations,
    [configHashAnnotation]: metadata.uid,
    [configSourceAnnotation]: "file",
  }
  pod.spec.nodeName = nodeName
  refuseDisabledFields(pod)
  // No default of a pod depends on the time.
  podKind.setDefaults?.(pod, 0)
  // Nothing may drive a static pod from its node.
  pod.spec.tolerations = [...(pod.spec.tolerations ?? []), { operator: "Exists", effect: "NoExecute" }]
  pod.status = { phase: "Pending" }
  const errors = podKind.validate?.(pod) ?? []
  if (errors.length > 0) throw new Error(aggregateMessage(errors))
  return pod
}
