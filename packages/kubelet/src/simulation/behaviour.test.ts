import assert from "node:assert/strict"
import { test } from "node:test"
import type { Pod } from "@knarr/api"
import type { SimulatedBehaviour } from "../runtime/simulated-host.ts"
import { behaviourOf } from "./behaviour.ts"

type Annotations = Readonly<Record<string, string>>

function podOf(
  annotations: Annotations,
  more: { readonly owner?: string; readonly labels?: Annotations } = {},
): Pod {
  const { owner, labels = {} } = more
  const owned = owner && [{ apiVersion: "batch/v1", kind: owner, name: "o", uid: "1", controller: true }]
  return {
    metadata: {
      name: "p",
      namespace: "default",
      annotations,
      labels,
      ...(owned ? { ownerReferences: owned } : {}),
    },
    spec: {
      containers: [{ name: "app" }, { name: "log" }],
      initContainers: [{ name: "init" }, { name: "sidecar", restartPolicy: "Always" }],
    },
  } as unknown as Pod
}

const ours = (values: Annotations): Annotations =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [`simulation.knarr.dev/${name}`, value]))

const failing = "pod-container-running-failed.stage.kwok.x-k8s.io"

const cases: readonly {
  readonly what: string
  readonly pod: Pod
  readonly container?: string
  readonly does: SimulatedBehaviour
}[] = [
  { what: "nothing said: it runs until it is stopped", pod: podOf({}), does: {} },
  {
    what: "everything said",
    pod: podOf(
      ours({
        "start-delay": "2s",
        "run-time": "1m30s",
        "exit-code": "3",
        "exit-reason": "OOMKilled",
        "stop-delay": "500ms",
        cpu: "250m",
        memory: "64Mi",
      }),
    ),
    does: {
      startDelayMs: 2000,
      exitAfterMs: 90_000,
      exitCode: 3,
      reason: "OOMKilled",
      stopAfterMs: 500,
      cpuNanoCores: 250_000_000,
      memoryBytes: 67_108_864,
    },
  },
  {
    what: "one container's own goes before the pod's",
    pod: podOf(ours({ cpu: "1", "cpu.log": "10m", "run-time.log": "5s" })),
    container: "log",
    does: { exitAfterMs: 5000, cpuNanoCores: 10_000_000 },
  },
  { what: "a Job's pod ends after a second", pod: podOf({}, { owner: "Job" }), does: { exitAfterMs: 1000 } },
  {
    what: "a Job's pod ends when it is said",
    pod: podOf(ours({ "run-time": "10m" }), { owner: "Job" }),
    does: { exitAfterMs: 600_000 },
  },
  { what: "a sidecar of a Job runs on", pod: podOf({}, { owner: "Job" }), container: "sidecar", does: {} },
  {
    what: "an init container ends at once, whatever is said of the pod",
    pod: podOf(ours({ "run-time": "10m", "exit-code": "1" })),
    container: "init",
    does: { exitAfterMs: 0 },
  },
  {
    what: "an init container fails when it is said of it",
    pod: podOf(ours({ "run-time.init": "1s", "exit-code.init": "1" })),
    container: "init",
    does: { exitAfterMs: 1000, exitCode: 1 },
  },
  {
    what: "kwok's usage and delays",
    pod: podOf({
      "kwok.x-k8s.io/usage-cpu": "10m",
      "kwok.x-k8s.io/usage-memory": "1Mi",
      "pod-ready.stage.kwok.x-k8s.io/delay": "3s",
      "pod-complete.stage.kwok.x-k8s.io/delay": "4s",
    }),
    does: { startDelayMs: 3000, exitAfterMs: 4000, cpuNanoCores: 10_000_000, memoryBytes: 1_048_576 },
  },
  {
    what: "kwok's failing container",
    pod: podOf(
      { [`${failing}/container-name`]: "app", [`${failing}/exit-code`]: "2", [`${failing}/reason`]: "Bad" },
      { labels: { [failing]: "true" } },
    ),
    does: { exitAfterMs: 0, exitCode: 2, reason: "Bad" },
  },
  {
    what: "kwok's failing container is another one",
    pod: podOf({ [`${failing}/container-name`]: "app" }, { labels: { [failing]: "true" } }),
    container: "log",
    does: {},
  },
]

for (const { what, pod, container = "app", does } of cases)
  test(`A simulated container: ${what}`, () => {
    const problems: unknown[] = []
    assert.deepEqual(behaviourOf(pod, container, problems as never), does)
    assert.deepEqual(problems, [])
  })

test("What cannot be understood does not count, and is told with its annotation", () => {
  const bad = ours({ "run-time": "soon", "exit-code": "256", cpu: "-1", memory: "much", "exit-reason": "" })
  const problems: { annotation: string; problem: string }[] = []
  assert.deepEqual(behaviourOf(podOf(bad), "app", problems), {})
  assert.deepEqual(
    problems.map(
      ({ annotation, problem }) => `${annotation.slice("simulation.knarr.dev/".length)}: ${problem}`,
    ),
    [
      'run-time: time: invalid duration "soon"',
      'exit-code: must be 0 to 255: "256"',
      "exit-reason: must not be empty",
      'cpu: must not be negative: "-1"',
      "memory: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ],
  )
})
