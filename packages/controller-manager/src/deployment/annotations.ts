/** Annotations that a deployment and its revisions carry. Pure. Mirrors: pkg/controller/deployment/util/deployment_util.go */
import type { Deployment } from "@knarr/api"
import {
  desiredReplicasAnnotation,
  maxReplicasAnnotation,
  maxSurge,
  parseRevision,
  replicasOf,
  revisionAnnotation,
  revisionHistoryAnnotation,
} from "./arithmetic.ts"

type Annotations = Readonly<Record<string, string>>

const notCopied = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  revisionAnnotation,
  revisionHistoryAnnotation,
  desiredReplicasAnnotation,
  maxReplicasAnnotation,
  "deprecated.deployment.rollback.to",
])

const historyBound = 2000

/** The annotations of the new revision: the deployment's, its revision number and, of an old one taken up again, its former numbers. */
export function newSetAnnotations(
  d: Deployment,
  present: Annotations,
  revision: bigint,
  exists: boolean,
): Annotations {
  const out: Record<string, string> = { ...present }
  for (const [name, value] of Object.entries(d.metadata.annotations ?? {})) {
    if (!notCopied.has(name)) out[name] = value
  }
  const old = present[revisionAnnotation]
  if (parseRevision(old) < revision) {
    out[revisionAnnotation] = String(revision)
    if (old !== undefined) out[revisionHistoryAnnotation] = history(present[revisionHistoryAnnotation], old)
  }
  return exists ? out : withReplicas(out, d)
}

function history(present: string | undefined, old: string): string {
  if (!present) return old
  const entries = present.split(",")
  let length = present.length + old.length + 1
  while (entries.length > 0 && length > historyBound) length -= entries.shift()!.length + 1
  return [...entries, old].join(",")
}

/** The sizes that proportional scaling and the detection of scaling compare with. */
export function withReplicas(annotations: Annotations, d: Deployment): Annotations {
  return {
    ...annotations,
    [desiredReplicasAnnotation]: String(replicasOf(d)),
    [maxReplicasAnnotation]: String(replicasOf(d) + maxSurge(d)),
  }
}
