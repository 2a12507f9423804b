/** Which nodes run a daemon's pod, and what is to be created and deleted. Pure. Mirrors: pkg/controller/daemon */
import type { DaemonSet, DaemonSetStatus, Node, Pod, PodTemplateSpec, Taint, Toleration } from "@knarr/api"
import { deepClone, scaledValueFromIntOrPercent } from "@knarr/apimachinery"
import { matchesRequiredNodeAffinity, tolerates } from "@knarr/pod-rules"
import { withoutZeros } from "../workload/without-zeros.ts"
import { revisionHashLabel } from "../workload/controller-revisions.ts"
import { isPodAvailable, isPodReady } from "../workload/pod-state.ts"

const daemonTolerations: readonly Toleration[] = [
  { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute" },
  { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute" },
  { key: "node.kubernetes.io/disk-pressure", operator: "Exists", effect: "NoSchedule" },
  { key: "node.kubernetes.io/memory-pressure", operator: "Exists", effect: "NoSchedule" },
  { key: "node.kubernetes.io/pid-pressure", operator: "Exists", effect: "NoSchedule" },
  { key: "node.kubernetes.io/unschedulable", operator: "Exists", effect: "NoSchedule" },
]
const networkToleration: Toleration = {
  key: "node.kubernetes.io/network-unavailable",
  operator: "Exists",
  effect: "NoSchedule",
}
const generationAnnotation = "deprecated.daemonset.template.generation"

/** The template with what every daemon pod has: tolerations and the labels of its revision. */
export function daemonTemplate(ds: DaemonSet, hash: string): PodTemplateSpec {
  const template = deepClone(ds.spec.template)
  const tolerations = (template.spec.tolerations ??= [])
  const added = template.spec.hostNetwork ? [...daemonTolerations, networkToleration] : daemonTolerations
  for (const toleration of added) {
    const same = tolerations.some(
      (one) =>
        one.key === toleration.key &&
        one.effect === toleration.effect &&
        one.operator === toleration.operator,
    )
    if (!same) tolerations.push({ ...toleration })
  }
  const labels: Record<string, string> = { ...template.metadata?.labels, [revisionHashLabel]: hash }
  const generation = ds.metadata.annotations?.[generationAnnotation]
  if (generation !== undefined) labels["pod-template-generation"] = generation
  template.metadata = { ...template.metadata, labels }
  return template
}

/** The template for one node: affinity to it replaces what required affinity there is. */
export function templateForNode(template: PodTemplateSpec, nodeName: string): PodTemplateSpec {
  const matchFields = [{ key: "metadata.name", operator: "In", values: [nodeName] }]
  const out = deepClone(template)
  const affinity = (out.spec.affinity ??= {})
  const nodeAffinity = (affinity.nodeAffinity ??= {})
  nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution = { nodeSelectorTerms: [{ matchFields }] }
  return out
}

/** The node that a daemon pod is on or meant for; "" when that cannot be told. */
function targetNode(pod: Pod): string {
  if (pod.spec.nodeName) return pod.spec.nodeName
  const terms =
    pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms
  for (const term of terms ?? []) {
    for (const { key, operator, values } of term.matchFields ?? []) {
      if (key === "metadata.name" && operator === "In" && values?.length === 1) return values[0]!
    }
  }
  return ""
}

export interface Fit {
  /** A pod is to be there. */
  readonly run: boolean
  /** A pod that is there may stay. */
  readonly stay: boolean
}

function fit(ds: DaemonSet, template: PodTemplateSpec, node: Node): Fit {
  const { spec } = template
  if ((spec.nodeName && spec.nodeName !== node.metadata.name) || !matchesRequiredNodeAffinity(spec, node))
    return { run: false, stay: false }
  const untolerated = (taint: Taint): boolean =>
    !(spec.tolerations ?? []).some((one) => tolerates(one, taint))
  const taints = (node.spec?.taints ?? []).filter(untolerated)
  if (taints.some((taint) => taint.effect === "NoExecute")) return { run: false, stay: false }
  return { run: !taints.some((taint) => taint.effect === "NoSchedule"), stay: true }
}

export interface DaemonInput {
  readonly ds: DaemonSet
  readonly template: PodTemplateSpec
  readonly hash: string
  readonly nodes: readonly Node[]
  /** All pods of the set. */
  readonly pods: readonly Pod[]
  readonly nowMs: number
}

export interface DaemonPlan {
  readonly createOn: string[]
  readonly remove: Pod[]
  /** Ended pods among those to remove, worth an event. */
  readonly ended: Pod[]
}

const oldestFirst = (a: Pod, b: Pod): number =>
  a.metadata.creationTimestamp < b.metadata.creationTimestamp
    ? -1
    : a.metadata.creationTimestamp > b.metadata.creationTimestamp
      ? 1
      : a.metadata.name < b.metadata.name
        ? -1
        : 1

function podsByNode(pods: readonly Pod[]): Map<string, Pod[]> {
  const out = new Map<string, Pod[]>()
  for (const pod of pods) {
    const name = targetNode(pod)
    out.set(name, [...(out.get(name) ?? []), pod])
  }
  for (const list of out.values()) list.sort(oldestFirst)
  return out
}

function limits(ds: DaemonSet, desired: number): { surge: number; unavailable: number } {
  const rolling = ds.spec.updateStrategy?.rollingUpdate
  const surge = scaledValueFromIntOrPercent(rolling?.maxSurge ?? 0, desired, true)
  const unavailable = scaledValueFromIntOrPercent(rolling?.maxUnavailable ?? 1, desired, true)
  return { surge, unavailable: surge === 0 && unavailable === 0 && desired > 0 ? 1 : unavailable }
}

/** One pod per node that is to run one, none elsewhere. */
export function planDaemons({ ds, template, hash, nodes, pods, nowMs }: DaemonInput): DaemonPlan {
  const plan: DaemonPlan = { createOn: [], remove: [], ended: [] }
  const byNode = podsByNode(pods)
  const desired = nodes.filter((node) => fit(ds, template, node).run).length
  const surging = limits(ds, desired).surge > 0 && ds.spec.updateStrategy?.type === "RollingUpdate"
  const known = new Set(nodes.map((node) => node.metadata.name))
  for (const node of nodes) {
    const here = byNode.get(node.metadata.name) ?? []
    const { run, stay } = fit(ds, template, node)
    if (run && here.length === 0) plan.createOn.push(node.metadata.name)
    else if (!stay) plan.remove.push(...here.filter((pod) => !pod.metadata.deletionTimestamp))
    else {
      const running: Pod[] = []
      for (const pod of here) {
        if (pod.metadata.deletionTimestamp) continue
        const { phase } = pod.status ?? {}
        if (phase === "Failed" || phase === "Succeeded") {
          plan.remove.push(pod)
          plan.ended.push(pod)
        } else running.push(pod)
      }
      if (!surging) plan.remove.push(...running.slice(1))
      else plan.remove.push(...surplusWhileSurging(running, hash, ds.spec.minReadySeconds ?? 0, nowMs))
    }
  }
  for (const [name, list] of byNode) {
    if (name === "" || known.has(name)) continue
    // Meant for a node that is no longer there; bound ones are the pod garbage collector's.
    plan.remove.push(...list.filter((pod) => !pod.spec.nodeName && !pod.metadata.deletionTimestamp))
  }
  return plan
}

/** With surge, one old and one new pod may share a node until the new one is available. */
function surplusWhileSurging(
  running: readonly Pod[],
  hash: string,
  minReadySeconds: number,
  nowMs: number,
): Pod[] {
  const isNew = (pod: Pod): boolean => pod.metadata.labels?.[revisionHashLabel] === hash
  const fresh = running.filter(isNew)
  const old = running.filter((pod) => !isNew(pod))
  const out = [...fresh.slice(1), ...old.slice(1)]
  if (fresh[0] && old[0]) {
    const replaced = isPodAvailable(fresh[0], minReadySeconds, nowMs)
    if (replaced || !isPodReady(old[0])) out.push(old[0])
  }
  return out
}

/** What a rolling update does next, when everything else is in order. */
export function planUpdate({
  ds,
  template,
  hash,
  nodes,
  pods,
  nowMs,
}: DaemonInput): Pick<DaemonPlan, "createOn" | "remove"> {
  const runnable = nodes.filter((node) => fit(ds, template, node).run)
  const { surge, unavailable: maxUnavailable } = limits(ds, runnable.length)
  const minReady = ds.spec.minReadySeconds ?? 0
  const byNode = podsByNode(pods)
  const replace: Pod[] = []
  const candidates: Pod[] = []
  const createOn: string[] = []
  let unavailable = 0
  let surging = 0
  const surgeCandidates: string[] = []
  for (const { metadata } of runnable) {
    const here = (byNode.get(metadata.name) ?? []).filter((pod) => !pod.metadata.deletionTimestamp)
    const fresh = here.filter((pod) => pod.metadata.labels?.[revisionHashLabel] === hash)
    const old = here.filter((pod) => pod.metadata.labels?.[revisionHashLabel] !== hash)
    if (surge > 0) {
      if (old.length === 0) continue
      if (fresh.length > 0) surging++
      else if (!isPodAvailable(old[0]!, minReady, nowMs)) createOn.push(metadata.name)
      else surgeCandidates.push(metadata.name)
      continue
    }
    if (fresh.length + old.length !== 1) unavailable++
    else if (fresh[0]) unavailable += Number(!isPodAvailable(fresh[0], minReady, nowMs))
    else if (!isPodAvailable(old[0]!, minReady, nowMs)) {
      unavailable++
      replace.push(old[0]!)
    } else candidates.push(old[0]!)
  }
  if (surge > 0) {
    createOn.push(...surgeCandidates.slice(0, Math.max(0, surge - surging - createOn.length)))
    return { createOn, remove: [] }
  }
  return { createOn, remove: [...replace, ...candidates.slice(0, Math.max(0, maxUnavailable - unavailable))] }
}

export function daemonStatus(
  { ds, template, hash, nodes, pods, nowMs }: DaemonInput,
  collisionCount: number | undefined,
): DaemonSetStatus {
  const byNode = podsByNode(pods)
  let desired = 0
  let current = 0
  let misscheduled = 0
  let ready = 0
  let updated = 0
  let available = 0
  for (const node of nodes) {
    const here = byNode.get(node.metadata.name) ?? []
    if (!fit(ds, template, node).run) {
      if (here.length > 0) misscheduled++
      continue
    }
    desired++
    if (here.length === 0) continue
    current++
    const readyPod = here.find(isPodReady)
    if (readyPod) ready++
    if (here.some((pod) => isPodAvailable(pod, ds.spec.minReadySeconds ?? 0, nowMs))) available++
    if (here.some((pod) => pod.metadata.labels?.[revisionHashLabel] === hash)) updated++
  }
  const status: DaemonSetStatus = {
    observedGeneration: ds.metadata.generation,
    desiredNumberScheduled: desired,
    currentNumberScheduled: current,
    numberMisscheduled: misscheduled,
    numberReady: ready,
    updatedNumberScheduled: updated,
    numberAvailable: available,
    numberUnavailable: desired - available,
  }
  if (collisionCount !== undefined) status.collisionCount = collisionCount
  if (ds.status?.conditions) status.conditions = ds.status.conditions
  return withoutZeros(status, ["updatedNumberScheduled", "numberAvailable", "numberUnavailable"])
}
