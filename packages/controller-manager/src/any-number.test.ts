import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { ControllerRevision, Job, Pod, StatefulSet } from "@knarr/api"
import { planJob } from "./job/job-plan.ts"
import { planStateful } from "./statefulset/stateful-plan.ts"

/** The largest number that the API takes. */
const most = 2_147_483_647
const metadata = { name: "s", namespace: "n", uid: "u", labels: { a: "b" } }
const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } }
const revision = { metadata: { name: "r" } } as ControllerRevision

function statefulPods(podManagementPolicy: string, pods: readonly Pod[]): number {
  const set = { metadata, spec: { replicas: most, podManagementPolicy, template } } as unknown as StatefulSet
  const input = { set, current: revision, update: revision, collisionCount: undefined, pods, nowMs: 0 }
  return planStateful(input).actions.filter(({ type }) => type === "create").length
}

function jobPods(spec: object): number {
  const job = { metadata, spec: { backoffLimit: 6, template, ...spec }, status: {} } as unknown as Job
  return planJob({ job, pods: [], nowMs: 0 }).create.length
}

describe("Whatever number is asked for, one pass plans a bounded number of pods", () => {
  const last = { metadata: { ...metadata, name: `s-${most - 1}` }, spec: {}, status: {} } as unknown as Pod
  const cases: readonly (readonly [what: string, plan: () => number, pods: number])[] = [
    ["a set in order", () => statefulPods("OrderedReady", []), 1],
    ["a set at once", () => statefulPods("Parallel", []), 500],
    ["a set at once whose last pod is there", () => statefulPods("Parallel", [last]), 501],
    ["a job", () => jobPods({ parallelism: most }), 500],
    ["a job that counts", () => jobPods({ parallelism: most, completions: most }), 500],
    [
      "an indexed job",
      () => jobPods({ parallelism: most, completions: 100_000, completionMode: "Indexed" }),
      500,
    ],
  ]
  for (const [what, plan, pods] of cases) it(what, () => assert.equal(plan(), pods))
})
