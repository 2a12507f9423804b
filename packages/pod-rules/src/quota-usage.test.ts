import assert from "node:assert/strict"
import { test } from "node:test"
import { configMap, persistentVolumeClaim, pod, resourceClaim, service, type Pod } from "@knarr/api"
import type { Kind, KubeObject } from "@knarr/apimachinery"
import { countsAgainst, inScope, missingResources, usageOf, usedBy } from "./index.ts"

const now = Date.parse("2026-01-01T00:00:00Z")

function usage(kind: Kind, obj: object): Record<string, string> {
  const used = usageOf(kind, { metadata: { name: "x" }, ...obj } as unknown as KubeObject, now)
  return Object.fromEntries([...used].map(([name, amount]) => [name, amount.toString()]))
}

const podWith = (requests: object, limits: object = {}, extra: object = {}): object => ({
  metadata: { name: "x" },
  spec: { containers: [{ name: "c", resources: { requests, limits } }] },
  status: {},
  ...extra,
})

test("what one object takes", () => {
  const cases: [string, Kind, object, Record<string, string>][] = [
    [
      "a pod, in the format that it is written in",
      pod,
      podWith({ cpu: "500m", memory: "1G", "example.com/gpu": "2" }, { cpu: "1" }),
      {
        "count/pods": "1",
        pods: "1",
        cpu: "500m",
        "requests.cpu": "500m",
        memory: "1G",
        "requests.memory": "1G",
        "requests.example.com/gpu": "2",
        "limits.cpu": "1",
      },
    ],
    [
      "a pod that ended",
      pod,
      podWith({ cpu: "1" }, {}, { status: { phase: "Failed" } }),
      { "count/pods": "1" },
    ],
    [
      "a pod whose time to end is long over",
      pod,
      {
        ...podWith({ cpu: "1" }),
        metadata: { name: "x", deletionTimestamp: "2025-12-31T23:00:00Z", deletionGracePeriodSeconds: 30 },
      },
      { "count/pods": "1" },
    ],
    ["a config map", configMap, {}, { "count/configmaps": "1", configmaps: "1" }],
    [
      "a load balancer without ports of its nodes but one",
      service,
      {
        spec: {
          type: "LoadBalancer",
          allocateLoadBalancerNodePorts: false,
          ports: [{ port: 80, nodePort: 30080 }, { port: 81 }],
        },
      },
      { "count/services": "1", services: "1", "services.loadbalancers": "1", "services.nodeports": "1" },
    ],
    [
      "a claim of a class that grew",
      persistentVolumeClaim,
      {
        spec: { storageClassName: "fast", resources: { requests: { storage: "1Gi" } } },
        status: { allocatedResources: { storage: "2Gi" } },
      },
      {
        "count/persistentvolumeclaims": "1",
        persistentvolumeclaims: "1",
        "fast.storageclass.storage.k8s.io/persistentvolumeclaims": "1",
        "requests.storage": "2Gi",
        "fast.storageclass.storage.k8s.io/requests.storage": "2Gi",
      },
    ],
    [
      "devices, in the worst case",
      resourceClaim,
      {
        spec: {
          devices: {
            requests: [
              { name: "a", exactly: { deviceClassName: "gpu", allocationMode: "ExactCount", count: 2 } },
              {
                name: "b",
                firstAvailable: [
                  { name: "c", deviceClassName: "gpu", allocationMode: "ExactCount", count: 1 },
                  { name: "d", deviceClassName: "gpu", allocationMode: "ExactCount", count: 3 },
                  { name: "e", deviceClassName: "net", allocationMode: "All" },
                ],
              },
            ],
          },
        },
      },
      {
        "count/resourceclaims.resource.k8s.io": "1",
        "gpu.deviceclass.resource.k8s.io/devices": "5",
        "net.deviceclass.resource.k8s.io/devices": "32",
      },
    ],
  ]
  for (const [name, kind, obj, expected] of cases) assert.deepEqual(usage(kind, obj), expected, name)
})

test("which limits concern which kind", () => {
  const cases: [Kind, string, boolean][] = [
    [pod, "pods", true],
    [pod, "count/pods", true],
    [pod, "requests.cpu", true],
    [pod, "limits.ephemeral-storage", true],
    [pod, "hugepages-2Mi", true],
    [pod, "requests.example.com/gpu", true],
    [pod, "requests.storage", false],
    [pod, "example.com/gpu", false],
    [service, "services.nodeports", true],
    [service, "pods", false],
    [persistentVolumeClaim, "fast.storageclass.storage.k8s.io/requests.storage", true],
    [configMap, "configmaps", true],
    [configMap, "secrets", false],
    [resourceClaim, "gpu.deviceclass.resource.k8s.io/devices", true],
  ]
  for (const [kind, name, expected] of cases) assert.equal(countsAgainst(kind, name), expected, name)
})

test("a limit of cpu or memory wants every container to state it", () => {
  const obj = {
    spec: {
      containers: [
        { name: "b", resources: { requests: { cpu: "1" } } },
        { name: "a", resources: { requests: { cpu: "1" }, limits: { memory: "1Mi" } } },
      ],
      initContainers: [{ name: "i" }],
    },
  } as unknown as Pod
  assert.equal(
    missingResources(obj, ["pods", "limits.memory", "cpu"]),
    "must specify cpu for: i; limits.memory for: b,i",
  )
  assert.equal(missingResources(obj, ["pods", "limits.ephemeral-storage"]), "")
  const whole = { spec: { ...obj.spec, resources: { limits: { memory: "1Gi" } } } } as unknown as Pod
  assert.equal(missingResources(whole, ["limits.memory"]), "")
})

test("scopes", () => {
  const claim = { metadata: {}, spec: { volumeAttributesClassName: "gold" } } as unknown as KubeObject
  const plain = podWith({}) as unknown as KubeObject
  const urgent = { spec: { containers: [], priorityClassName: "high" } } as unknown as KubeObject
  const ending = { spec: { containers: [], activeDeadlineSeconds: 5 } } as unknown as KubeObject
  const select = (scopeName: string, operator: string, values?: string[]): object => ({
    scopeSelector: { matchExpressions: [{ scopeName, operator, values }] },
  })
  const cases: [object, Kind, KubeObject, boolean][] = [
    [{}, configMap, {} as KubeObject, true],
    [{ scopes: ["BestEffort"] }, configMap, {} as KubeObject, false],
    [{ scopes: ["BestEffort"] }, pod, plain, true],
    [{ scopes: ["NotBestEffort"] }, pod, plain, false],
    [{ scopes: ["Terminating"] }, pod, ending, true],
    [{ scopes: ["NotTerminating", "BestEffort"] }, pod, ending, false],
    [select("PriorityClass", "In", ["high"]), pod, urgent, true],
    [select("PriorityClass", "NotIn", ["high"]), pod, plain, true],
    [select("PriorityClass", "Exists"), pod, plain, false],
    [select("VolumeAttributesClass", "In", ["gold"]), persistentVolumeClaim, claim, true],
    [select("VolumeAttributesClass", "DoesNotExist"), persistentVolumeClaim, claim, false],
  ]
  for (const [spec, kind, obj, expected] of cases)
    assert.equal(inScope({ metadata: {}, spec } as never, kind, obj), expected, JSON.stringify(spec))
})

test("what is used of each limit", () => {
  const quota = { spec: { hard: { pods: "5", "requests.cpu": "2", secrets: "1" } } } as never
  const objects = ["300m", "1"].map((cpu) => [pod, podWith({ cpu }) as unknown as KubeObject] as const)
  assert.deepEqual(usedBy(quota, objects, now), { pods: "2", "requests.cpu": "1300m", secrets: "0" })
})
