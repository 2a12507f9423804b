/** How far a rollout is. Mirrors: kubectl pkg/polymorphichelpers/rollout_status.go */
import { goQuote } from "@knarr/apimachinery"
import { at, type Obj } from "./object.ts"

export interface RolloutState {
  readonly message: string
  readonly done: boolean
}

/** Throws with upstream's message when the rollout failed or has no status. */
export function rolloutState(obj: Obj, revision: number): RolloutState {
  switch (obj["kind"]) {
    case "Deployment":
      return deploymentState(obj, revision)
    case "DaemonSet":
      return daemonSetState(obj)
    case "StatefulSet":
      return statefulSetState(obj)
    default:
      throw new Error(`no status viewer has been implemented for ${obj["kind"]}`)
  }
}

function count(obj: Obj, ...path: string[]): number {
  return (at(obj, ...path) as number | undefined) ?? 0
}

function deploymentState(obj: Obj, revision: number): RolloutState {
  const name = goQuote(obj["metadata"].name)
  if (revision > 0) {
    const own = Number(at(obj, "metadata", "annotations", "deployment.kubernetes.io/revision") ?? 0)
    if (own !== revision)
      throw new Error(`desired revision (${revision}) is different from the running revision (${own})`)
  }
  if (count(obj, "metadata", "generation") > count(obj, "status", "observedGeneration")) {
    return { message: "Waiting for deployment spec update to be observed...\n", done: false }
  }
  const conditions = (at(obj, "status", "conditions") ?? []) as Obj[]
  if (
    conditions.some((one) => one["type"] === "Progressing" && one["reason"] === "ProgressDeadlineExceeded")
  ) {
    throw new Error(`deployment ${name} exceeded its progress deadline`)
  }
  const wanted = at(obj, "spec", "replicas") as number | undefined
  const updated = count(obj, "status", "updatedReplicas")
  const replicas = count(obj, "status", "replicas")
  const available = count(obj, "status", "availableReplicas")
  const waiting = (text: string): RolloutState => ({
    message: `Waiting for deployment ${name} rollout to finish: ${text}...\n`,
    done: false,
  })
  if (wanted !== undefined && updated < wanted) {
    return waiting(`${updated} out of ${wanted} new replicas have been updated`)
  }
  if (replicas > updated) return waiting(`${replicas - updated} old replicas are pending termination`)
  if (available < updated) return waiting(`${available} of ${updated} updated replicas are available`)
  return { message: `deployment ${name} successfully rolled out\n`, done: true }
}

function daemonSetState(obj: Obj): RolloutState {
  const name = goQuote(obj["metadata"].name)
  if (at(obj, "spec", "updateStrategy", "type") !== "RollingUpdate") {
    throw new Error("rollout status is only available for RollingUpdate strategy type")
  }
  if (count(obj, "metadata", "generation") > count(obj, "status", "observedGeneration")) {
    return { message: "Waiting for daemon set spec update to be observed...\n", done: false }
  }
  const updated = count(obj, "status", "updatedNumberScheduled")
  const desired = count(obj, "status", "desiredNumberScheduled")
  const available = count(obj, "status", "numberAvailable")
  const waiting = (text: string): RolloutState => ({
    message: `Waiting for daemon set ${name} rollout to finish: ${text}...\n`,
    done: false,
  })
  if (updated < desired) return waiting(`${updated} out of ${desired} new pods have been updated`)
  if (available < desired) return waiting(`${available} of ${desired} updated pods are available`)
  return { message: `daemon set ${name} successfully rolled out\n`, done: true }
}

function statefulSetState(obj: Obj): RolloutState {
  if (at(obj, "spec", "updateStrategy", "type") !== "RollingUpdate") {
    throw new Error("rollout status is only available for RollingUpdate strategy type")
  }
  const observed = count(obj, "status", "observedGeneration")
  if (observed === 0 || count(obj, "metadata", "generation") > observed) {
    return { message: "Waiting for statefulset spec update to be observed...\n", done: false }
  }
  const wanted = at(obj, "spec", "replicas") as number | undefined
  const ready = count(obj, "status", "readyReplicas")
  if (wanted !== undefined && ready < wanted) {
    return { message: `Waiting for ${wanted - ready} pods to be ready...\n`, done: false }
  }
  const partition = at(obj, "spec", "updateStrategy", "rollingUpdate", "partition") as number | undefined
  const updated = count(obj, "status", "updatedReplicas")
  const revision = (at(obj, "status", "updateRevision") ?? "") as string
  if (at(obj, "spec", "updateStrategy", "rollingUpdate") && partition !== undefined && partition > 0) {
    if (wanted !== undefined && updated < wanted - partition) {
      return {
        message: `Waiting for partitioned roll out to finish: ${updated} out of ${wanted - partition} new pods have been updated...\n`,
        done: false,
      }
    }
    return {
      message: `partitioned roll out complete: ${updated} new pods have been updated...\n`,
      done: true,
    }
  }
  const current = count(obj, "status", "currentReplicas")
  if (revision !== at(obj, "status", "currentRevision")) {
    return {
      message: `waiting for statefulset rolling update to complete ${updated} pods at revision ${revision}...\n`,
      done: false,
    }
  }
  return {
    message: `statefulset rolling update complete ${current} pods at revision ${at(obj, "status", "currentRevision")}...\n`,
    done: true,
  }
}
