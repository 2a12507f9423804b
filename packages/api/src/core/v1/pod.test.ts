/** Rules of pods that the recorded answers do not reach. */
import assert from "node:assert/strict"
import { test } from "node:test"
import { applySchemaDefaults, decodeObject } from "@knarr/apimachinery"
import { pod, qosClassOf, sumContainers, type Pod } from "../../index.ts"

function load(spec: object, metadata: object = {}): Pod {
  const value = { apiVersion: "v1", kind: "Pod", metadata: { name: "p", namespace: "n", ...metadata }, spec }
  const obj = decodeObject<Pod>(pod.schema, value).object
  applySchemaDefaults(pod.schema, obj)
  pod.setDefaults!(obj, 0)
  return obj
}

const container = (resources: object = {}, more: object = {}): object => ({
  name: "c",
  image: "i",
  resources,
  ...more,
})

test("Quality of service", () => {
  const full = { limits: { cpu: "1", memory: "1Gi" } }
  const cases: [want: string, spec: object][] = [
    ["BestEffort", { containers: [container()] }],
    ["BestEffort", { containers: [container({ requests: { cpu: "0" } })] }],
    ["BestEffort", { containers: [container({ limits: { "example.com/gpu": "1" } })] }],
    ["Burstable", { containers: [container({ requests: { cpu: "1" } })] }],
    ["Burstable", { containers: [container({ limits: { cpu: "1" } })] }],
    ["Guaranteed", { containers: [container(full)] }],
    ["Burstable", { containers: [container(full), container({}, { name: "d" })] }],
    ["Burstable", { containers: [container({ ...full, requests: { cpu: "500m", memory: "1Gi" } })] }],
    ["Burstable", { initContainers: [container({}, { name: "i" })], containers: [container(full)] }],
    ["Guaranteed", { resources: { ...full, requests: full.limits }, containers: [container()] }],
  ]
  for (const [want, spec] of cases) assert.equal(qosClassOf(load(spec)), want, JSON.stringify(spec))
})

test("Init containers count one at a time, beside the sidecars before them", () => {
  const cpu = (amount: string, more: object = {}): object => container({ requests: { cpu: amount } }, more)
  const { spec } = load({
    initContainers: [
      cpu("3", { name: "a" }),
      cpu("1", { name: "s", restartPolicy: "Always" }),
      cpu("4", { name: "b" }),
    ],
    containers: [cpu("1"), cpu("2", { name: "d" })],
  })
  assert.equal(sumContainers(spec, "requests").get("cpu")!.toString(), "5")
  const memory = (amount: string, more: object): object => container({ requests: { memory: amount } }, more)
  const mixed = load({
    initContainers: [
      memory("9", { name: "a" }),
      cpu("2", { name: "s", restartPolicy: "Always" }),
      memory("3", { name: "t", restartPolicy: "Always" }),
      memory("4", { name: "b" }),
      cpu("6", { name: "e" }),
    ],
    containers: [cpu("1")],
  }).spec
  const sums = [...sumContainers(mixed, "requests")].map(([name, sum]) => `${name} ${sum.toString()}`)
  assert.deepEqual(sums, ["cpu 8", "memory 9"])
})

test("A pod gets time to end only where a kubelet has it and it has not ended", () => {
  const grace = pod.gracePeriodSeconds!
  const at = (spec: object, phase: string): Pod => {
    const obj = load({ containers: [container()], ...spec })
    obj.status.phase = phase
    return obj
  }
  assert.equal(grace(at({}, "Pending"), undefined), 0)
  assert.equal(grace(at({ nodeName: "n" }, "Running"), undefined), 30)
  assert.equal(grace(at({ nodeName: "n", terminationGracePeriodSeconds: 5 }, "Running"), undefined), 5)
  assert.equal(grace(at({ nodeName: "n" }, "Running"), 7), 7)
  assert.equal(grace(at({ nodeName: "n" }, "Running"), 0), 0)
  assert.equal(grace(at({ nodeName: "n" }, "Running"), -1), 1)
  assert.equal(grace(at({ nodeName: "n" }, "Succeeded"), 7), 0)
})

test("Warnings", () => {
  const warnings = pod.warnings!(
    load({
      nodeSelector: { "beta.kubernetes.io/os": "linux" },
      containers: [
        container(
          { limits: { memory: "100m" } },
          {
            env: [
              { name: "A", value: "1" },
              { name: "A", value: "2" },
            ],
          },
        ),
      ],
    }),
  )
  assert.deepEqual(warnings, [
    'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead',
    'spec.containers[0].resources.limits[memory]: fractional byte value "100m" is invalid, must be an integer',
    'spec.containers[0].resources.requests[memory]: fractional byte value "100m" is invalid, must be an integer',
    'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply',
  ])
})

test("Ephemeral containers look at a container of their pod, and open no ports", () => {
  const one = { name: "f", image: "y" }
  const check = (more: object): string[] => {
    const spec = { containers: [container()], ephemeralContainers: [{ ...one, ...more }] }
    return pod.validate!(load(spec, { resourceVersion: "1" })).map(
      ({ field, detail }) => `${field}: ${detail}`,
    )
  }
  assert.deepEqual(check({ targetContainerName: "c" }), [])
  assert.deepEqual(check({ targetContainerName: "nope" }), [
    "spec.ephemeralContainers[0].targetContainerName: ",
  ])
  assert.deepEqual(check({ ports: [{ containerPort: 1 }] }), [
    "spec.ephemeralContainers[0].ports: cannot be set for an Ephemeral Container",
  ])
})
