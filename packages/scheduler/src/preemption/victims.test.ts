import assert from "node:assert/strict"
import { test } from "node:test"
import type { Pod, PodDisruptionBudget } from "@knarr/api"
import { Status } from "../framework/status.ts"
import { nodeOf, OfflineScheduler, podOf } from "../testing.ts"
import type { Candidate } from "./candidate.ts"
import { budgetsOf, pickCandidate, selectVictims } from "./victims.ts"

const nowMs = Date.parse("2026-01-01T12:00:00Z")

function running(name: string, priority: number, cpu: string, more: object = {}): Pod {
  return podOf({ name, cpu, on: "a", spec: { priority }, ...more })
}

function since(time: string): { readonly status: object } {
  return { status: { startTime: `2026-01-01T${time}:00Z` } }
}

function budget(app: string, disruptionsAllowed: number, disruptedPods: object = {}): PodDisruptionBudget {
  return {
    metadata: { namespace: "default", name: app },
    spec: { selector: { matchLabels: { app } } },
    status: { disruptionsAllowed, disruptedPods },
  } as unknown as PodDisruptionBudget
}

const app = (name: string): { readonly labels: Record<string, string> } => ({ labels: { app: name } })

interface Case {
  readonly what: string
  readonly here: readonly Pod[]
  readonly budgets?: readonly PodDisruptionBudget[]
  readonly cpu?: string
  /** The victims and how many budgets they break, or why nobody helps. */
  readonly want: readonly [victims: string, violations: number] | string
}

// The node has 4 cpus; the pod that wants in has the priority 100.
const cases: readonly Case[] = [
  {
    what: "nobody of lower priority",
    here: [running("x", 100, "4")],
    want: "No preemption victims found for incoming pod",
  },
  {
    what: "room that even they do not make",
    here: [running("x", 1, "1")],
    cpu: "5",
    want: "Insufficient cpu",
  },
  { what: "the only one", here: [running("x", 1, "4")], want: ["x", 0] },
  {
    what: "the least important",
    here: [running("x", 1, "2"), running("y", 2, "2")],
    want: ["x", 0],
  },
  {
    what: "of equals the youngest",
    here: [running("old", 1, "2", since("08:00")), running("young", 1, "2", since("11:00"))],
    want: ["young", 0],
  },
  {
    what: "no more than is needed, though the small one counts for less",
    here: [running("small", 1, "1"), running("big", 2, "3")],
    cpu: "3",
    want: ["big", 0],
  },
  {
    what: "those that no budget keeps, before those of lower priority",
    here: [running("kept", 1, "2", app("k")), running("free", 2, "2")],
    budgets: [budget("k", 0)],
    want: ["free", 0],
  },
  {
    what: "what a budget keeps, when there is nobody else",
    here: [running("kept", 1, "2", app("k")), running("mate", 1, "2", app("k"))],
    budgets: [budget("k", 1)],
    cpu: "4",
    want: ["mate kept", 1],
  },
  {
    what: "pods whose disruption a budget has already counted",
    here: [running("gone", 1, "2", app("k")), running("free", 2, "2")],
    budgets: [budget("k", 0, { gone: "2026-01-01T00:00:00Z" })],
    want: ["gone", 0],
  },
  {
    what: "pods with labels that a budget of everything selects",
    here: [running("x", 1, "2", app("k")), running("y", 2, "2", app("k"))],
    budgets: [{ ...budget("k", 0), spec: { selector: {} } } as PodDisruptionBudget],
    want: ["x", 0],
  },
]

for (const { what, here, budgets = [], cpu = "2", want } of cases)
  test(`on a node gives way: ${what}`, () => {
    const scheduler = new OfflineScheduler()
    scheduler.cache.setNode(nodeOf("a"))
    for (const one of here) scheduler.cache.setPod(one)
    const pod = podOf({ name: "new", cpu, spec: { priority: 100 } })
    const state = scheduler.state()
    scheduler.decide(pod, state)
    const node = state.snapshot.get("a")!
    const found = selectVictims(scheduler.profile.handle, state, pod, node, budgetsOf(budgets), nowMs)
    if (found instanceof Status) return assert.equal(found.message, want)
    assert.deepEqual([found.victims.map(({ metadata }) => metadata.name).join(" "), found.violations], want)
    assert.equal(node.pods.size, here.length, "the snapshot is as it was")
  })

const candidate = (nodeName: string, violations: number, ...victims: Pod[]): Candidate => ({
  nodeName,
  violations,
  victims,
})
const one = (priority: number, more: object = {}): Pod => running("v", priority, "1", more)

const picks: readonly [what: string, best: Candidate, others: readonly Candidate[]][] = [
  ["that breaks fewer budgets", candidate("a", 0, one(9)), [candidate("b", 1, one(1))]],
  [
    "whose most important victim is the least important",
    candidate("a", 0, one(2), one(2)),
    [candidate("b", 0, one(3))],
  ],
  [
    "with the smaller sum of priorities",
    candidate("a", 0, one(5), one(1)),
    [candidate("b", 0, one(5), one(4))],
  ],
  [
    "with fewer victims, also of negative priority",
    candidate("a", 0, one(-5)),
    [candidate("b", 0, one(-5), one(-9))],
  ],
  [
    "whose victims run for the shortest time",
    candidate("a", 0, one(1, since("11:00"))),
    [candidate("b", 0, one(1, since("08:00")))],
  ],
  ["that comes first", candidate("a", 0, one(1)), [candidate("b", 0, one(1))]],
]

for (const [what, best, others] of picks)
  test(`of several nodes the one is taken ${what}`, () => {
    assert.equal(pickCandidate([best, ...others], nowMs)?.nodeName, "a")
    if (what !== "that comes first")
      assert.equal(pickCandidate([...others, best], nowMs)?.nodeName, "a", "in the other order")
    assert.equal(pickCandidate([], nowMs), undefined)
  })
