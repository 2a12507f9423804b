import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { HPAScalingRules } from "@knarr/api"
import { limit, type Limited } from "./limits.ts"
import { createScalingHistory, recordChange, type ScalingHistory } from "./scaling-history.ts"

const nowMs = 1_000_000_000
const ago = (seconds: number): number => nowMs - seconds * 1000

/** Policies of pods and percent, each with its period in seconds; 0 for none. */
function rules(
  pods: number,
  podsPeriod: number,
  percent: number,
  percentPeriod: number,
  window = 0,
  selectPolicy = "Max",
): HPAScalingRules {
  return {
    stabilizationWindowSeconds: window,
    selectPolicy,
    policies: [
      ...(pods > 0 ? [{ type: "Pods", value: pods, periodSeconds: podsPeriod }] : []),
      ...(percent > 0 ? [{ type: "Percent", value: percent, periodSeconds: percentPeriod }] : []),
    ],
  }
}

const defaultUp = rules(4, 15, 100, 15)
const defaultDown = rules(0, 0, 100, 15)

interface Case {
  readonly min?: number
  readonly max?: number
  readonly up?: HPAScalingRules
  readonly down?: HPAScalingRules
  readonly history?: { readonly [Name in keyof ScalingHistory]?: Readonly<ScalingHistory[Name]> }
}

function decide(current: number, desired: number, given: Case, withBehavior = true): Limited {
  const { min = 1, max = 1000, up = defaultUp, down = defaultDown, history = {} } = given
  return limit(
    { current, desired, min, max, downscaleStabilizationMs: 300_000, nowMs },
    {
      recommendations: [...(history.recommendations ?? [])],
      ups: [...(history.ups ?? [])],
      downs: [...(history.downs ?? [])],
    },
    withBehavior ? { scaleUp: up, scaleDown: down } : undefined,
  )
}

describe("policies", () => {
  for (const [what, current, desired, given, replicas, reason] of [
    ["within the range", 5, 7, { min: 3, max: 8 }, 7, "DesiredWithinRange"],
    ["fewer than there may be", 3, 1, { min: 2, max: 8 }, 2, "TooFewReplicas"],
    ["none, which may be", 1, 0, { min: 0, max: 10 }, 0, "DesiredWithinRange"],
    ["more than there may be", 100, 1000, { min: 100, max: 150 }, 150, "TooManyReplicas"],
    ["up by a pod", 3, 1000, { max: 2000, up: rules(0, 0, 1, 60) }, 4, "ScaleUpLimit"],
    ["up by default", 10, 50, {}, 20, "ScaleUpLimit"],
    ["up by the policy of pods", 10, 500, { up: rules(100, 60, 100, 60) }, 110, "ScaleUpLimit"],
    ["up by the policy of percent", 10, 500, { up: rules(2, 60, 100, 60) }, 20, "ScaleUpLimit"],
    ["up, within the policy", 10, 50, { up: rules(100, 60, 0, 0) }, 50, "DesiredWithinRange"],
    [
      "up by the policy that changes least",
      10,
      500,
      { up: rules(2, 60, 100, 60, 0, "Min") },
      12,
      "ScaleUpLimit",
    ],
    ["up is disabled", 10, 500, { up: rules(2, 60, 0, 0, 0, "Disabled") }, 10, "ScaleUpLimit"],
    ["down by the policy of pods", 100, 2, { down: rules(20, 60, 1, 60) }, 80, "ScaleDownLimit"],
    ["down by default", 10, 0, {}, 1, "TooFewReplicas"],
    ["down by percent", 10, 2, { down: rules(0, 0, 50, 60) }, 5, "ScaleDownLimit"],
    [
      "down by the policy that changes least",
      100,
      2,
      { down: rules(20, 60, 1, 60, 0, "Min") },
      99,
      "ScaleDownLimit",
    ],
    ["down is disabled", 10, 2, { down: rules(5, 60, 0, 0, 0, "Disabled") }, 10, "ScaleDownLimit"],
    [
      "up, of what the period began with",
      10,
      50,
      { up: rules(5, 60, 0, 0), history: { ups: [{ change: 4, atMs: ago(10) }] } },
      11,
      "ScaleUpLimit",
    ],
    [
      "up, when the period is over",
      10,
      50,
      { up: rules(5, 60, 0, 0), history: { ups: [{ change: 4, atMs: ago(61) }] } },
      15,
      "ScaleUpLimit",
    ],
    [
      "down no further in the same period",
      10,
      2,
      { down: rules(5, 60, 0, 0), history: { downs: [{ change: 9, atMs: ago(10) }] } },
      10,
      "ScaleDownLimit",
    ],
  ] as const)
    it(what, () => {
      const { limited, replicas: actual } = decide(current, desired, given)
      assert.deepEqual([actual, limited.reason], [replicas, reason])
      assert.equal(limited.isLimited, reason !== "DesiredWithinRange")
    })

  it("without a behavior: at most twice as many, or four", () => {
    for (const [current, desired, replicas, reason] of [
      [1, 100, 4, "ScaleUpLimit"],
      [10, 100, 20, "ScaleUpLimit"],
      [600, 2000, 1000, "TooManyReplicas"],
      [5, 0, 1, "TooFewReplicas"],
      [5, 6, 6, "DesiredWithinRange"],
    ] as const) {
      const { limited, replicas: actual } = decide(current, desired, {}, false)
      assert.deepEqual([actual, limited.reason], [replicas, reason])
    }
  })
})

describe("stabilization", () => {
  const recommendations = (...of: [replicas: number, seconds: number][]) => ({
    recommendations: of.map(([replicas, seconds]) => ({ replicas, atMs: ago(seconds) })),
  })
  it("without a behavior the highest of five minutes counts", () => {
    for (const [history, replicas, reason] of [
      [recommendations([5, 200]), 5, "ScaleDownStabilized"],
      [recommendations([5, 301]), 2, "ReadyForNewScale"],
    ] as const) {
      const { replicas: actual, able } = decide(6, 2, { history }, false)
      assert.deepEqual([actual, able.reason], [replicas, reason])
    }
  })
  it("within both windows the change is the smallest that was recommended", () => {
    for (const [current, desired, up, down, history, replicas, reason] of [
      [5, 9, 60, 0, recommendations([6, 30], [4, 70]), 6, "ScaleUpStabilized"],
      [5, 9, 60, 0, recommendations([6, 61]), 9, "ReadyForNewScale"],
      [9, 3, 0, 60, recommendations([7, 30], [8, 61]), 7, "ScaleDownStabilized"],
      [9, 3, 0, undefined, recommendations([7, 299]), 7, "ScaleDownStabilized"],
      [9, 3, 0, undefined, recommendations([7, 301]), 3, "ReadyForNewScale"],
      [5, 9, 60, 60, recommendations([3, 30]), 5, "ScaleUpStabilized"],
    ] as const) {
      const downRules = { ...defaultDown, stabilizationWindowSeconds: down } as HPAScalingRules
      const given = { up: rules(100, 15, 0, 0, up), down: downRules, history }
      const { replicas: actual, able } = decide(current, desired, given)
      assert.deepEqual([actual, able.reason], [replicas, reason])
    }
  })

  it("what is remembered is bounded by the windows", () => {
    const history = createScalingHistory(1, ago(10_000))
    for (let i = 0; i < 1000; i++) {
      const at = nowMs + i * 15_000
      limit(
        { current: 5, desired: 5, min: 1, max: 9, downscaleStabilizationMs: 300_000, nowMs: at },
        history,
        undefined,
      )
      recordChange(history.ups, 1, defaultUp, at)
    }
    assert.ok(history.recommendations.length <= 22, `${history.recommendations.length}`)
    assert.ok(history.ups.length <= 3)
  })
})
