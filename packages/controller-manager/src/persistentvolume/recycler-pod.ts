/**
 * The pod that empties a volume, so that another claim can have it.
 * Mirrors: pkg/volume/plugins.go (NewPersistentVolumeRecyclerPodTemplate), pkg/volume/util/util.go
 * (CalculateTimeoutForVolume), pkg/volume/{hostpath/host_path,nfs/nfs}.go (Recycle)
 */
import { pod, type Creatable, type PersistentVolume, type Pod, type Volume } from "@knarr/api"
import { storageOf } from "@knarr/pod-rules"
import type { BinderOptions } from "./binder-options.ts"

const prefix = "recycler-for-"
const gibibyte = 2 ** 30

export const recyclerNamespace = "default"

export function recyclerName(volumeName: string): string {
  return `${prefix}${volumeName}`
}

/** The volume that the pod recycles by its name, if any. */
export function recycledVolume({ metadata }: Readonly<Pod>): string | undefined {
  if (metadata.namespace !== recyclerNamespace || !metadata.name.startsWith(prefix)) return undefined
  return metadata.name.slice(prefix.length)
}

/** Undefined: nobody knows how to recycle such a volume. */
export function recyclerPod(
  volume: Readonly<PersistentVolume>,
  options: BinderOptions,
): Creatable<Pod> | undefined {
  const { hostPath, nfs } = volume.spec
  const source: Omit<Volume, "name"> | undefined = hostPath
    ? { hostPath: { path: hostPath.path } }
    : nfs && { nfs: { server: nfs.server, path: nfs.path } }
  if (!source) return undefined
  const [leastSeconds, secondsPerGibibyte] = hostPath
    ? [options.hostPathRecyclerSeconds ?? 60, options.hostPathRecyclerSecondsPerGiB ?? 30]
    : [options.nfsRecyclerSeconds ?? 300, options.nfsRecyclerSecondsPerGiB ?? 30]
  const gibibytes = Math.floor(storageOf(volume.spec.capacity).value() / gibibyte)
  return {
    apiVersion: pod.apiVersion,
    kind: pod.kind,
    metadata: { name: recyclerName(volume.metadata.name), namespace: recyclerNamespace },
    spec: {
      activeDeadlineSeconds: Math.max(leastSeconds, gibibytes * secondsPerGibibyte),
      restartPolicy: "Never",
      volumes: [{ name: "vol", ...source }],
      containers: [
        {
          name: "pv-recycler",
          image: "registry.k8s.io/build-image/debian-base:bookworm-v1.0.6",
          command: ["/bin/sh"],
          args: [
            "-c",
            'test -e /scrub && find /scrub -mindepth 1 -delete && test -z "$(ls -A /scrub)" || exit 1',
          ],
          volumeMounts: [{ name: "vol", mountPath: "/scrub" }],
        },
      ],
    },
  }
}
