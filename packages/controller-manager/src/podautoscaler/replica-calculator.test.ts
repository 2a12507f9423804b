import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { Pod } from "@knarr/api"
import { formatTime } from "@knarr/apimachinery"
import type { PodMetrics } from "./pod-groups.ts"
import {
  replicasForAverage,
  replicasForRatio,
  replicasForUsage,
  replicasForUtilization,
  type MeasuredPods,
} from "./replica-calculator.ts"

const nowMs = Date.parse("2026-01-01T12:00:00Z")
const minute = 60_000
/** As upstream's own tests have it. */
const patience = { cpuInitializationMs: 2 * minute, initialReadinessMs: 10_000 }
const tenth = { down: 0.1, up: 0.1 }
const at = (ms: number): string => formatTime(nowMs + ms)

interface PodOptions {
  readonly phase?: string
  readonly ready?: boolean
  /** Started so short a time ago that use of CPU says little. */
  readonly hot?: boolean
  readonly deleted?: boolean
  readonly requests?: readonly (string | undefined)[]
  readonly podRequest?: string
}

/** Two containers that request a CPU each, unless said otherwise. */
function podOf(i: number, options: PodOptions): Pod {
  const { phase = "Running", ready = true, hot = false, requests = ["1", "1"] } = options
  return {
    metadata: { name: `p${i}`, ...(options.deleted ? { deletionTimestamp: at(0) } : {}) },
    spec: {
      containers: requests.map((cpu, n) => ({
        name: `c${n + 1}`,
        resources: { requests: cpu === undefined ? {} : { cpu } },
      })),
      ...(options.podRequest ? { resources: { requests: { cpu: options.podRequest } } } : {}),
    },
    status: {
      phase,
      startTime: hot ? at(-minute) : at(-3 * minute),
      conditions: [
        {
          type: "Ready",
          status: ready ? "True" : "False",
          // Not ready: since its start.
          lastTransitionTime: hot ? at(0) : at(-3 * minute),
        },
      ],
    },
  } as unknown as Pod
}

/** `levels`: of each pod together, in thousandths; undefined where nothing is measured. */
function measured(
  currentReplicas: number,
  levels: readonly (number | undefined)[],
  pods: readonly PodOptions[] = [],
  tolerances = tenth,
): MeasuredPods {
  const metrics: PodMetrics = new Map()
  levels.forEach((value, i) => {
    if (value !== undefined) metrics.set(`p${i}`, { value, atMs: nowMs, windowMs: minute })
  })
  const count = Math.max(levels.length, pods.length)
  return {
    pods: Array.from({ length: count }, (_, i) => podOf(i, pods[i] ?? {})),
    metrics,
    currentReplicas,
    tolerances,
    patience,
    nowMs,
  }
}

const up = {}
const unready = { ready: false }
const pending = { phase: "Pending", ready: false }
const failed = { phase: "Failed", ready: false }
const deleted = { ready: false, deleted: true }
const hot = { hot: true }

describe("replicas for use in percent of what is requested", () => {
  for (const [what, current, percent, levels, pods, replicas, utilization] of [
    ["up", 3, 30, [600, 1000, 1400], [], 5, 50],
    ["up, less for a pod that is not ready", 3, 30, [600, 1000, 1400], [unready], 4, 60],
    ["up, less for a pod that began just now", 3, 30, [600, 1000, 1400], [hot], 4, 60],
    [
      "not, when only pods that are not ready would change it",
      3,
      30,
      [800, 1000, 1400],
      [up, unready, unready],
      3,
      40,
    ],
    ["up, without failed pods", 2, 30, [1000, 1400], [up, up, failed, failed], 4, 60],
    ["up, without pods that are deleted", 2, 30, [1000, 1400], [up, up, deleted, deleted], 4, 60],
    ["down", 5, 50, [200, 600, 1000, 500, 500], [], 3, 28],
    [
      "down, without pods that are not ready",
      5,
      50,
      [200, 600, 1000, 500, 500],
      [up, up, up, unready, unready],
      2,
      30,
    ],
    ["down, without pods that have no node", 5, 50, [200], [up, pending, pending, pending, pending], 1, 10],
    [
      "down, without pods that began just now",
      5,
      50,
      [200, 600, 1000, 500, 500],
      [up, up, up, hot, hot],
      2,
      30,
    ],
    [
      "down, without failed pods",
      5,
      50,
      [200, 600, 1000, 500, 500],
      [up, up, up, up, up, failed, failed],
      3,
      28,
    ],
    ["not, near the target", 3, 100, [2020, 2180, 1990], [], 3, 103],
    [
      "down, where nothing is known of one: it is taken for full",
      4,
      100,
      [200, undefined, 200, undefined],
      [],
      3,
      10,
    ],
    ["up, where nothing is known of one: it is taken for idle", 2, 20, [1000, undefined], [], 3, 50],
    ["not, where what is unknown would turn it", 2, 50, [800, undefined], [], 2, 40],
    [
      "not, where nobody is ready but one",
      3,
      50,
      [1000, undefined, undefined],
      [up, pending, pending],
      3,
      50,
    ],
  ] as const)
    it(what, () => {
      const target = { resource: "cpu", container: "", percent }
      const answer = replicasForUtilization(measured(current, levels, pods), target)
      assert.deepEqual([answer.replicas, answer.utilization], [replicas, utilization])
    })

  it("says what is missing", () => {
    const target = { resource: "cpu", container: "", percent: 50 }
    for (const [pods, levels, of, message] of [
      [[], [], target, "no pods returned by selector while calculating replica count"],
      [[unready], [100], target, "did not receive metrics for targeted pods (pods might be unready)"],
      [[{ requests: ["1", undefined] }], [100], target, "missing request for cpu in container c2 of Pod p0"],
      [[up], [100], { ...target, container: "x" }, "container x not found in Pod p0"],
      [
        [{ podRequest: "1" }],
        [100],
        { ...target, resource: "memory" },
        "missing pod-level request for memory in Pod p0",
      ],
      [[{ requests: ["0"] }], [100], target, "no metrics returned matched known pods"],
    ] as const)
      assert.throws(() => replicasForUtilization(measured(1, levels, pods), of), { message })
  })

  it("of what a pod requests as a whole, and of one container", () => {
    const target = { resource: "cpu", container: "", percent: 50 }
    const whole = measured(1, [1000], [{ podRequest: "4" }])
    assert.equal(replicasForUtilization(whole, target).utilization, 25)
    const one = measured(1, [1000], [{ requests: ["3", "500m"] }])
    assert.equal(replicasForUtilization(one, { ...target, container: "c2" }).utilization, 200)
  })
})

describe("replicas for an amount per pod", () => {
  for (const [what, current, target, levels, pods, replicas, usage] of [
    ["up", 3, 15_000, [20_000, 10_000, 30_000], [], 4, 20_000],
    [
      "up, with pods that are not ready, which only matters for CPU",
      3,
      15_000,
      [50_000, 10_000, 30_000],
      [up, up, unready],
      6,
      30_000,
    ],
    ["down", 5, 20_000, [12_000, 12_000, 12_000, 12_000, 12_000], [], 3, 12_000],
    ["up, where nothing is known of two", 4, 15_000, [30_000, 30_000, undefined, undefined], [], 4, 30_000],
    [
      "down, where nothing is known of one: it is taken for what it should be",
      3,
      20_000,
      [10_000, 10_000, undefined],
      [],
      2,
      10_000,
    ],
    ["not, near the target", 3, 19_000, [20_000, 20_000, 20_000], [], 3, 20_000],
  ] as const)
    it(what, () => {
      const answer = replicasForUsage(measured(current, levels, pods), "", target)
      assert.deepEqual([answer.replicas, answer.usage], [replicas, usage])
    })
})

describe("replicas for one number", () => {
  const pods = (count: number, ...others: PodOptions[]): Pod[] =>
    measured(0, [], [...Array.from({ length: count }, () => up), ...others]).pods as Pod[]
  for (const [what, ratio, current, of, replicas] of [
    ["up", 20 / 15, 3, pods(3), 4],
    ["up, of pods that are ready", 20 / 15, 3, pods(2, unready), 3],
    ["down", 12 / 20, 5, pods(5), 3],
    ["not, near the target", 1.09, 5, pods(5), 5],
    ["from zero", 2.5, 0, [], 3],
    ["stays at zero", 0, 0, [], 0],
    ["down to zero", 0, 3, pods(3), 0],
    ["more than there can be", 1e12, 1, pods(1), 2 ** 31 - 1],
  ] as const)
    it(what, () => assert.equal(replicasForRatio(ratio, current, tenth, of), replicas))

  for (const [what, usage, target, current, tolerances, replicas, average] of [
    ["up, divided", 8600, 2150, 3, tenth, 4, 2867],
    ["down, divided", 8600, 2867, 5, tenth, 3, 1720],
    ["not, near the target, divided", 8600, 2900, 3, tenth, 3, 2867],
    ["up, past a smaller tolerance", 8600, 2800, 3, { down: 0.1, up: 0.01 }, 4, 2867],
    ["more than there can be, divided", 2 ** 63, 1, 1, tenth, 2 ** 31 - 1, 2 ** 63],
  ] as const)
    it(what, () =>
      assert.deepEqual(replicasForAverage(usage, target, current, tolerances), { replicas, usage: average }),
    )
})
