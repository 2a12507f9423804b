/**
 * Brings the pods of this node, from the API and from files, to one place. Only when every source has told its
 * pods may anything be taken to be unwanted.
 * Mirrors: pkg/kubelet/config/config.go
 */
import { pod as podKind, type Pod } from "@knarr/api"
import { deferred, type Env, type Scope } from "@knarr/base"
import type { Client, InformerFactory } from "@knarr/client"
import type { PodWorkers } from "../contract.ts"
import { isMirrorPod } from "../pod-worker/labels.ts"
import { watchManifests } from "./file-source.ts"
import { MirrorPods, type MirrorPodsOptions } from "./mirror-pods.ts"

export interface PodSourcesOptions {
  readonly env: Env
  readonly client: Client
  readonly scope: Scope
  readonly informers: InformerFactory
  readonly nodeName: string
  readonly workers: PodWorkers
  /** The folder of static pods; undefined: there are none. */
  readonly manifestDir?: string | undefined
  readonly node: MirrorPodsOptions["node"]
  /** Called with each mirror at the API, now and when it changes. */
  readonly onMirror: (mirror: Readonly<Pod>) => void
}

export interface PodSources {
  readonly mirrors: MirrorPods
  /** Resolves when every source has told its pods. */
  synced(signal: AbortSignal): Promise<void>
}

export function startPodSources(options: PodSourcesOptions): PodSources {
  const { env, client, scope, informers, nodeName, workers, manifestDir } = options
  const mirrors = new MirrorPods({ env, client, node: options.node })
  const informer = informers.informer<Pod>(podKind, { fieldSelector: `spec.nodeName=${nodeName}` })
  const changed = (pod: Pod): void => {
    if (!isMirrorPod(pod)) return workers.update({ pod, source: "api" })
    mirrors.setMirror(pod)
    options.onMirror(pod)
  }
  scope.use(
    informer.subscribe({
      added: changed,
      updated: changed,
      deleted(pod) {
        if (isMirrorPod(pod)) mirrors.mirrorGone(pod)
        else workers.remove(pod.metadata.uid)
      },
    }),
  )

  const filesRead = deferred()
  if (manifestDir === undefined) filesRead.resolve()
  else {
    let known = new Set<string>()
    const tell = (pods: readonly Pod[]): void => {
      const now = new Set(pods.map(({ metadata }) => metadata.uid))
      for (const uid of known) if (!now.has(uid)) workers.remove(uid)
      for (const pod of pods) if (!known.has(pod.metadata.uid)) workers.update({ pod, source: "file" })
      known = now
      mirrors.setStatics(pods)
      filesRead.resolve()
    }
    scope.run("static pods", (signal) => watchManifests({ env, dir: manifestDir, nodeName }, tell, signal), {
      restart: true,
    })
    scope.run("mirror pods", (signal) => mirrors.run(signal), { restart: true })
  }
  return {
    mirrors,
    async synced(signal) {
      await informer.waitForSync(signal)
      await filesRead.promise
    },
  }
}
