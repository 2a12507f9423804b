/**
 * Whom a pod would drive from a node, and which node it is best driven to. Pure but for what the profile's filters say.
 * Mirrors: framework/plugins/defaultpreemption/default_preemption.go (SelectVictimsOnNode), framework/preemption/{preemption,util}.go
 */
import type { Pod, PodDisruptionBudget } from "@knarr/api"
import { parseTime, selectorFrom, type Selector } from "@knarr/apimachinery"
import { priorityOf, type NodeInfo, type PodInfo } from "../cache/node-info.ts"
import type { CycleState } from "../framework/cycle-state.ts"
import type { Handle } from "../framework/plugin.ts"
import { unresolvable, type Status } from "../framework/status.ts"
import type { Candidate } from "./candidate.ts"

const noVictims = unresolvable("No preemption victims found for incoming pod")

type WhatIf = Pick<Handle, "addPod" | "removePod" | "runFilterPluginsWithNominatedPods">

/** The fewest and least important pods that have to leave; a status when that does not help. */
export function selectVictims(
  what: WhatIf,
  from: CycleState,
  pod: Readonly<Pod>,
  on: NodeInfo,
  budgets: readonly Budget[],
  nowMs: number,
): Candidate | Status {
  const mine = priorityOf(pod)
  const lower = [...on.pods.values()].filter((info) => priorityOf(info.pod) < mine)
  if (lower.length === 0) return noVictims
  const state = from.clone()
  const node = on.clone()
  for (const info of lower) what.removePod(state, pod, info, node)
  const refusal = what.runFilterPluginsWithNominatedPods(state, pod, node)
  if (refusal) return refusal
  lower.sort((a, b) => byImportance(a.pod, b.pod, nowMs))
  const [violating, others] = splitByBudgets(lower, budgets)
  /** The first pods to be spared are those that a budget wants to keep, the most important first. */
  const spare = (infos: readonly PodInfo[]): PodInfo[] =>
    infos.filter((info) => {
      what.addPod(state, pod, info, node)
      if (!what.runFilterPluginsWithNominatedPods(state, pod, node)) return false
      what.removePod(state, pod, info, node)
      return true
    })
  const violated = spare(violating)
  const victims = [...violated, ...spare(others)]
    .map((info) => info.pod)
    .sort((a, b) => byImportance(a, b, nowMs))
  return { nodeName: on.name, victims, violations: violated.length }
}

/** The more important first: by priority, then by how long it runs. */
function byImportance(a: Readonly<Pod>, b: Readonly<Pod>, nowMs: number): number {
  return priorityOf(b) - priorityOf(a) || startOf(a, nowMs) - startOf(b, nowMs)
}

function startOf({ status }: Readonly<Pod>, nowMs: number): number {
  return status.startTime === undefined ? nowMs : parseTime(status.startTime)
}

/** A disruption budget, ready to be asked. */
export interface Budget {
  readonly namespace: string | undefined
  readonly selector: Selector
  readonly allowed: number
  /** Pods whose disruption is under way and counted. */
  readonly disrupted: ReadonlySet<string>
}

export function budgetsOf(budgets: readonly Readonly<PodDisruptionBudget>[]): Budget[] {
  return budgets.flatMap(({ metadata, spec, status }) => {
    const selector = selectorOf(spec.selector)
    // One that selects nothing, or everything, keeps nobody.
    if (!selector || selector.empty) return []
    return {
      namespace: metadata.namespace,
      selector,
      allowed: status?.disruptionsAllowed ?? 0,
      disrupted: new Set(Object.keys(status?.disruptedPods ?? {})),
    }
  })
}

function selectorOf(selector: PodDisruptionBudget["spec"]["selector"]): Selector | undefined {
  if (!selector) return undefined
  try {
    return selectorFrom(selector)
  } catch {
    // A selector that is none matches nothing.
    return undefined
  }
}

/** Those that a budget wants to keep, in the order in which its allowance is used up; and the others. */
function splitByBudgets(
  infos: readonly PodInfo[],
  budgets: readonly Budget[],
): [violating: PodInfo[], others: PodInfo[]] {
  const left = budgets.map(({ allowed }) => allowed)
  const violates = ({ pod: { metadata } }: PodInfo): boolean => {
    if (!metadata.labels || Object.keys(metadata.labels).length === 0) return false
    for (const [i, budget] of budgets.entries()) {
      if (budget.namespace !== metadata.namespace || !budget.selector.matches(metadata.labels)) continue
      if (budget.disrupted.has(metadata.name)) continue
      if (--left[i]! < 0) return true
    }
    return false
  }
  const violating: PodInfo[] = []
  const others: PodInfo[] = []
  for (const info of infos) (violates(info) ? violating : others).push(info)
  return [violating, others]
}

/** So that a few pods of negative priority do not count for less than one. */
const priorityOffset = 2 ** 31

/** The candidate that harms least; of equals the first. */
export function pickCandidate(candidates: readonly Candidate[], nowMs: number): Candidate | undefined {
  const harms: readonly ((candidate: Candidate) => number)[] = [
    ({ violations }) => violations,
    ({ victims }) => priorityOf(victims[0]!),
    ({ victims }) => victims.reduce((sum, victim) => sum + priorityOf(victim) + priorityOffset, 0),
    ({ victims }) => victims.length,
    ({ victims }) => -earliestStart(victims, nowMs),
  ]
  let left = candidates
  for (const harm of harms) {
    if (left.length <= 1) break
    const scores = left.map(harm)
    const least = scores.reduce((a, b) => Math.min(a, b))
    left = left.filter((_, i) => scores[i] === least)
  }
  return left[0]
}

/** Of the most important victims. */
function earliestStart(victims: readonly Readonly<Pod>[], nowMs: number): number {
  const highest = priorityOf(victims[0]!)
  return victims
    .filter((victim) => priorityOf(victim) === highest)
    .reduce((earliest, victim) => Math.min(earliest, startOf(victim, nowMs)), Infinity)
}
