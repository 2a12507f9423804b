import assert from "node:assert/strict"
import { test } from "node:test"
import type { Kind } from "@knarr/apimachinery"
import {
  endpointSlice,
  persistentVolumeClaim,
  resourceClaim,
  resourceClaimTemplate,
  service,
  statefulSet,
} from "./kinds.gen.ts"

const ctx = { nowMs: 0, user: undefined, warn: () => {} } as never

/** What becomes of an object before it is validated; of the parts that are told. */
const cases: readonly (readonly [
  what: string,
  kind: Kind,
  sent: object,
  old: object | undefined,
  expected: object,
])[] = [
  [
    "a source that names nothing",
    persistentVolumeClaim,
    { spec: { dataSource: {} } },
    undefined,
    { spec: {} },
  ],
  [
    "a source of an unknown kind",
    persistentVolumeClaim,
    { spec: { dataSource: { kind: "Other", name: "o" } } },
    undefined,
    { spec: {} },
  ],
  [
    "a source that is a claim",
    persistentVolumeClaim,
    { spec: { dataSource: { kind: "PersistentVolumeClaim", name: "o" } } },
    undefined,
    {
      spec: {
        dataSource: { kind: "PersistentVolumeClaim", name: "o" },
        dataSourceRef: { kind: "PersistentVolumeClaim", name: "o" },
      },
    },
  ],
  [
    "a reference of any kind",
    persistentVolumeClaim,
    { spec: { dataSourceRef: { apiGroup: "a.b", kind: "Other", name: "o" } } },
    { spec: {} },
    {
      spec: {
        dataSource: { apiGroup: "a.b", kind: "Other", name: "o" },
        dataSourceRef: { apiGroup: "a.b", kind: "Other", name: "o" },
      },
    },
  ],
  [
    "a reference into another namespace",
    persistentVolumeClaim,
    { spec: { dataSourceRef: { kind: "Other", name: "o", namespace: "n" } } },
    undefined,
    { spec: { dataSourceRef: { kind: "Other", name: "o", namespace: "n" } } },
  ],
  [
    "an old topology",
    endpointSlice,
    { endpoints: [{ deprecatedTopology: { "kubernetes.io/hostname": "n" } }] },
    undefined,
    { endpoints: [{}] },
  ],
  [
    "an old topology that names a node which was known",
    endpointSlice,
    { endpoints: [{ deprecatedTopology: { "kubernetes.io/hostname": "n" } }, {}] },
    { endpoints: [{ deprecatedTopology: { "kubernetes.io/hostname": "n" } }] },
    { endpoints: [{ nodeName: "n" }, {}] },
  ],
  [
    "attributes that are derived",
    resourceClaim,
    {
      spec: {
        devices: {
          requests: [{ exactly: { derivedAttributes: [] } }, { firstAvailable: [{ derivedAttributes: [] }] }],
        },
      },
    },
    undefined,
    { spec: { devices: { requests: [{ exactly: {} }, { firstAvailable: [{}] }] } } },
  ],
  [
    "attributes that are derived, and were before",
    resourceClaimTemplate,
    { spec: { spec: { devices: { requests: [{ exactly: { derivedAttributes: [] } }] } } } },
    { spec: { spec: { devices: { requests: [{ exactly: { derivedAttributes: [] } }] } } } },
    { spec: { spec: { devices: { requests: [{ exactly: { derivedAttributes: [] } }] } } } },
  ],
  [
    "a balancer that allocates no ports any more",
    service,
    {
      spec: { type: "LoadBalancer", allocateLoadBalancerNodePorts: false, ports: [{ nodePort: 30000 }] },
      status: { loadBalancer: {} },
    },
    { spec: { type: "LoadBalancer", ports: [{ nodePort: 30000 }] } },
    { spec: { type: "LoadBalancer", allocateLoadBalancerNodePorts: false, ports: [{ nodePort: 30000 }] } },
  ],
]

for (const [what, kind, sent, old, expected] of cases) {
  test(`${kind.kind}, before it is validated: ${what}`, () => {
    const object = { metadata: { name: "a" }, ...structuredClone(sent) } as any
    if (old) kind.prepareForUpdate!(object, { metadata: { name: "a" }, ...old } as never, ctx)
    else kind.prepareForCreate!(object, ctx)
    for (const [part, value] of Object.entries(expected)) assert.deepEqual(object[part], value)
  })
}

test("a claim's template is a claim, whatever it says", () => {
  const set = {
    metadata: { name: "a" },
    spec: {
      template: { spec: {} },
      volumeClaimTemplates: [{ kind: "Other", apiVersion: "x", spec: {}, status: {} }],
    },
    status: {},
  } as any
  statefulSet.setDefaults!(set, 0)
  const [{ kind, apiVersion }] = set.spec.volumeClaimTemplates
  assert.deepEqual({ kind, apiVersion }, { kind: "PersistentVolumeClaim", apiVersion: "v1" })
})
