/** The revisions of a workload: replica sets or controller revisions. Mirrors: kubectl pkg/polymorphichelpers/history.go, rollback.go */
import {
  applyStrategicMergePatch,
  formatLabelSelector,
  goQuote,
  isControlledBy,
  jsonClone,
  jsonEqual,
  type JsonObject,
} from "@knarr/apimachinery"
import type { ApiClient } from "./api-client.ts"
import { at, type Obj } from "./object.ts"
import type { Info } from "./info.ts"
import { patchObject, type WriteOptions } from "./writes.ts"

const revisionAnnotation = "deployment.kubernetes.io/revision"
const changeCauseAnnotation = "kubernetes.io/change-cause"

export interface Revision {
  readonly number: number
  readonly cause: string
  /** The pod template. */
  readonly template: Obj
  /** The replica set or controller revision. */
  readonly object: Obj
}

/** Every revision, oldest first. Throws when the kind has no history. */
export async function revisionsOf(api: ApiClient, info: Info): Promise<Revision[]> {
  const { kind } = info.resource
  if (kind === "Deployment") return deploymentRevisions(api, info)
  if (kind === "DaemonSet" || kind === "StatefulSet") return controllerRevisions(api, info)
  throw new Error(`no history viewer has been implemented for ${goQuote(kind)}`)
}

async function owned(api: ApiClient, info: Info, plural: string): Promise<Obj[]> {
  const labelSelector = formatLabelSelector(info.object["spec"].selector as object)
  const path = `/apis/apps/v1/namespaces/${encodeURIComponent(info.namespace || info.object["metadata"].namespace)}/${plural}`
  const list = await api.get(path, { labelSelector })
  return ((list["items"] ?? []) as Obj[]).filter((item) =>
    isControlledBy(item as { metadata: object }, info.object as { metadata: object }),
  )
}

async function deploymentRevisions(api: ApiClient, info: Info): Promise<Revision[]> {
  const sets = await owned(api, info, "replicasets")
  const revisions = sets.map((set) => ({
    number: Number(at(set, "metadata", "annotations", revisionAnnotation) ?? 0),
    cause: (at(set, "metadata", "annotations", changeCauseAnnotation) ?? "") as string,
    template: set["spec"].template as Obj,
    object: set,
  }))
  return revisions.toSorted((a, b) => a.number - b.number)
}

async function controllerRevisions(api: ApiClient, info: Info): Promise<Revision[]> {
  const { builtinKind } = await import("./builtin-kinds.ts")
  const schema = builtinKind(info.object)!.schema
  const found = await owned(api, info, "controllerrevisions")
  return found
    .map((object) => {
      const base = jsonClone(info.object) as JsonObject
      const whole = applyStrategicMergePatch(schema, base, jsonClone(object["data"]) as JsonObject) as Obj
      return {
        number: object["revision"] as number,
        cause: (at(object, "metadata", "annotations", changeCauseAnnotation) ?? "") as string,
        template: whole["spec"].template as Obj,
        object,
      }
    })
    .toSorted((a, b) => a.number - b.number)
}

/** A template without what the deployment controller adds. */
function plainTemplate(template: Obj): Obj {
  const out = jsonClone(template) as Obj
  delete out["metadata"]?.labels?.["pod-template-hash"]
  return out
}

/**
 * Goes back to a revision (0: the one before the present). Resolves with what was done: `rolled back`, or
 * why not. Throws with upstream's messages.
 */
export async function rollback(
  api: ApiClient,
  info: Info,
  toRevision: number,
  options: WriteOptions,
): Promise<string> {
  const { kind } = info.resource
  const { name } = info.object["metadata"] as { name: string }
  if (toRevision < 0) throw new Error(`unable to find specified revision ${toRevision} in history`)
  const revisions = await revisionsOf(api, info)
  if (kind === "Deployment") {
    const target = pick(revisions, toRevision, `no rollout history found for deployment ${goQuote(name)}`)
    if (info.object["spec"].paused) {
      throw new Error(
        "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again",
      )
    }
    const template = plainTemplate(target.template)
    if (jsonEqual(template, plainTemplate(info.object["spec"].template as Obj))) {
      return `skipped rollback (current template already matches revision ${target.number})`
    }
    const { [revisionAnnotation]: _, ...annotations } = (at(info.object, "metadata", "annotations") ??
      {}) as Obj
    const kept = kubectlAnnotations(annotations, target.object)
    const patch = [
      { op: "replace", path: "/spec/template", value: template },
      { op: "replace", path: "/metadata/annotations", value: kept },
    ]
    await patchObject(api, info, "json", patch, options)
    return "rolled back"
  }
  if (revisions.length <= 1 && toRevision === 0) throw new Error("no last revision to roll back to")
  const target = pick(revisions, toRevision, "no last revision to roll back to")
  if (jsonEqual(target.template, info.object["spec"].template)) {
    return `skipped rollback (current template already matches revision ${target.number})`
  }
  await patchObject(api, info, "strategic", target.object["data"], options)
  return "rolled back"
}

/** A deployment keeps its own annotations and takes the revision's others. */
function kubectlAnnotations(own: Obj, revision: Obj): Obj {
  const skipped = new Set([
    "kubectl.kubernetes.io/last-applied-configuration",
    revisionAnnotation,
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "deprecated.deployment.rollback.to",
  ])
  const out: Obj = {}
  for (const key in own) if (skipped.has(key)) out[key] = own[key]
  const theirs = (at(revision, "metadata", "annotations") ?? {}) as Obj
  for (const key in theirs) if (!skipped.has(key)) out[key] = theirs[key]
  return out
}

function pick(revisions: readonly Revision[], wanted: number, none: string): Revision {
  if (wanted === 0) {
    const previous = revisions.at(-2)
    if (!previous) throw new Error(none)
    return previous
  }
  const found = revisions.find((one) => one.number === wanted)
  if (!found) throw new Error(`unable to find specified revision ${wanted} in history`)
  return found
}
