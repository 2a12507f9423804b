import assert from "node:assert/strict"
import { test } from "node:test"
import type { PodSpec } from "@knarr/api"
import {
  findUntoleratedTaint,
  hostPortsConflict,
  matchesRequiredNodeAffinity,
  nonZeroRequests,
  podLimits,
  podRequests,
  tolerates,
} from "./index.ts"

const container = (requests: Record<string, string>, extra: object = {}): object => ({
  name: "c",
  resources: { requests },
  ...extra,
})
const spec = (value: object): { spec: PodSpec } => ({ spec: value as PodSpec })

test("podRequests is the peak over a pod's life", () => {
  const cases: [string, object, Record<string, number>][] = [
    [
      "containers add up",
      { containers: [container({ cpu: "100m", memory: "1Mi" }), container({ cpu: "1" })] },
      { cpu: 1100, memory: 1048576 },
    ],
    [
      "a large init container decides",
      {
        containers: [container({ cpu: "100m" })],
        initContainers: [container({ cpu: "2" }), container({ cpu: "1" })],
      },
      { cpu: 2000 },
    ],
    [
      "sidecars run beside what follows them",
      {
        containers: [container({ cpu: "1" })],
        initContainers: [container({ cpu: "500m" }, { restartPolicy: "Always" }), container({ cpu: "2" })],
      },
      { cpu: 2500 },
    ],
    [
      "pod-level resources replace the sum",
      { containers: [container({ cpu: "1", memory: "1Mi" })], resources: { requests: { cpu: "3" } } },
      { cpu: 3000, memory: 1048576 },
    ],
    [
      "overhead is added",
      { containers: [container({ cpu: "1" })], overhead: { cpu: "10m", memory: "1Ki" } },
      { cpu: 1010, memory: 1024 },
    ],
  ]
  for (const [what, value, expected] of cases) assert.deepEqual(podRequests(spec(value)), expected, what)
  assert.deepEqual(
    podLimits(
      spec({ containers: [{ name: "c", resources: { limits: { memory: "1Ki" } } }], overhead: { cpu: "1" } }),
    ),
    { memory: 1024 },
  )
  assert.deepEqual(nonZeroRequests(spec({ containers: [container({}), container({ cpu: "1" })] })), {
    cpu: 1100,
    memory: 2 * 200 * 1024 * 1024,
  })
})

test("tolerates follows the operators", () => {
  const taint = { key: "k", value: "v", effect: "NoExecute" }
  const cases: [object, boolean][] = [
    [{ key: "k", operator: "Equal", value: "v" }, true],
    [{ key: "k", value: "v", effect: "NoSchedule" }, false],
    [{ key: "k", operator: "Exists" }, true],
    [{ operator: "Exists" }, true],
    [{ key: "other", operator: "Exists" }, false],
    [{ key: "k" }, false],
  ]
  for (const [toleration, expected] of cases)
    assert.equal(tolerates(toleration, taint), expected, JSON.stringify(toleration))
  assert.equal(findUntoleratedTaint([taint], [], ["NoSchedule"]), undefined)
  assert.equal(findUntoleratedTaint([taint], [], ["NoExecute"]), taint)
})

test("matchesRequiredNodeAffinity reads selector, terms and fields", () => {
  const node = { metadata: { name: "a", labels: { zone: "z1", cores: "8" } } }
  const terms = (...nodeSelectorTerms: object[]): object => ({
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
  })
  const expression = (key: string, operator: string, ...values: string[]): object => ({
    matchExpressions: [{ key, operator, values }],
  })
  const cases: [object, boolean][] = [
    [{}, true],
    [{ nodeSelector: { zone: "z1" } }, true],
    [{ nodeSelector: { zone: "z2" } }, false],
    [terms(), false],
    [terms({}), false],
    [terms(expression("zone", "In", "z1", "z2")), true],
    [terms(expression("zone", "NotIn", "z1"), expression("cores", "Gt", "4")), true],
    [terms(expression("cores", "Lt", "8")), false],
    [terms(expression("gpu", "DoesNotExist")), true],
    [terms({ matchFields: [{ key: "metadata.name", operator: "In", values: ["a"] }] }), true],
  ]
  for (const [value, expected] of cases)
    assert.equal(matchesRequiredNodeAffinity(value as PodSpec, node), expected, JSON.stringify(value))
})

test("hostPortsConflict minds addresses and protocols", () => {
  const use = (ip: string, protocol = "TCP"): { ip: string; protocol: string; port: number } => ({
    ip,
    protocol,
    port: 80,
  })
  assert.equal(hostPortsConflict(use("0.0.0.0"), use("1.2.3.4")), true)
  assert.equal(hostPortsConflict(use("1.1.1.1"), use("1.2.3.4")), false)
  assert.equal(hostPortsConflict(use("0.0.0.0"), use("0.0.0.0", "UDP")), false)
})
