import assert from "node:assert/strict"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, describe, it } from "node:test"
import { configMap, event, namespace, node, pod, serviceAccount } from "@knarr/api"
import type { Pod } from "@knarr/api"
import { deferred } from "@knarr/base"
import type { ControlPlane } from "../control-plane.ts"
import { createObject } from "../registry/create.ts"
import { updateObject } from "../registry/update.ts"
import { mainStrategy } from "../registry/update-strategies.ts"
import { refusalMessage, testEnv, withTestPlane } from "../testing.ts"

const configuration = {
  apiVersion: "apiserver.config.k8s.io/v1",
  kind: "AdmissionConfiguration",
  plugins: [
    { name: "PodNodeSelector", path: "selectors.yaml" },
    {
      name: "PodTolerationRestriction",
      configuration: {
        apiVersion: "podtolerationrestriction.admission.k8s.io/v1alpha1",
        kind: "Configuration",
        default: [{ key: "a", operator: "Exists" }],
      },
    },
    {
      name: "EventRateLimit",
      configuration: {
        apiVersion: "eventratelimit.admission.k8s.io/v1alpha1",
        kind: "Configuration",
        limits: [{ type: "Namespace", qps: 1, burst: 2 }],
      },
    },
  ],
}
const enable = [
  "NamespaceAutoProvision",
  "LimitPodHardAntiAffinityTopology",
  "AlwaysPullImages",
  "PodNodeSelector",
  "PodTolerationRestriction",
  "EventRateLimit",
  "ExtendedResourceToleration",
  "OwnerReferencesPermissionEnforcement",
]

let plane: ControlPlane
let running: Promise<void>
const finished = deferred()
const dir = mkdtempSync(join(tmpdir(), "knarr-admission-"))
before(async () => {
  const configFile = join(dir, "admission.yaml")
  writeFileSync(configFile, JSON.stringify(configuration))
  writeFileSync(
    join(dir, "selectors.yaml"),
    "podNodeSelectorPluginConfig:\n  clusterDefaultNodeSelector: zone=x\n  default: zone=x,disk=ssd\n",
  )
  const ready = deferred()
  running = withTestPlane(
    async (started) => {
      plane = started
      await started.client().create(serviceAccount, { metadata: { name: "default", namespace: "default" } })
      ready.resolve()
      await finished.promise
    },
    { env: testEnv, admission: { enable, disable: ["ServiceAccount"], configFile } },
  )
  await Promise.race([ready.promise, running])
})
after(async () => {
  finished.resolve()
  await running
  rmSync(dir, { recursive: true })
})

const made = async (name: string, spec: object = {}): Promise<Pod> =>
  (await plane.client().create(pod, {
    metadata: { name, namespace: "default" },
    spec: { containers: [{ name: "c", image: "i:1", imagePullPolicy: "Never" }], ...spec },
  } as never)) as Pod

describe("plugins that an operator turns on", () => {
  it("pull images always, and give pods nodes and tolerations of their namespace", async () => {
    const { spec } = await made("a", {
      containers: [
        {
          name: "c",
          image: "i:1",
          imagePullPolicy: "Never",
          resources: { limits: { "example.com/gpu": "1" }, requests: { cpu: "1" } },
        },
      ],
      tolerations: [{ key: "a", operator: "Equal", value: "b" }],
    })
    assert.equal(spec.containers[0]!.imagePullPolicy, "Always")
    assert.deepEqual(spec.nodeSelector, { zone: "x" })
    const own = spec.tolerations!.filter(({ tolerationSeconds }) => tolerationSeconds === undefined)
    assert.deepEqual(own, [
      { key: "a", operator: "Exists" },
      { key: "node.kubernetes.io/memory-pressure", operator: "Exists", effect: "NoSchedule" },
      { key: "example.com/gpu", operator: "Exists", effect: "NoSchedule" },
    ])
  })

  it("refuse nodes and topologies that are not allowed", async () => {
    assert.equal(
      await refusalMessage(made("b", { nodeSelector: { zone: "y" } })),
      'pods "b" is forbidden: pod node label selector conflicts with its namespace node label selector',
    )
    assert.equal(
      await refusalMessage(made("b", { nodeSelector: { other: "z" } })),
      'pods "b" is forbidden: pod node label selector labels conflict with its namespace whitelist',
    )
    const term = { topologyKey: "zone", labelSelector: { matchLabels: { a: "b" } } }
    const affinity = { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } }
    assert.equal(
      await refusalMessage(made("b", { affinity })),
      'pods "b" is forbidden: affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey zone but only key kubernetes.io/hostname is allowed',
    )
  })

  it("make namespaces, and take only so many events", async () => {
    const write = (name: string): Promise<unknown> =>
      plane.client().create(event, {
        metadata: { name, namespace: "made-by-it" },
        involvedObject: { kind: "Pod", namespace: "made-by-it", name: "p" },
      } as never)
    await write("a")
    assert.ok(plane.registry.get(namespace, { name: "made-by-it" }))
    await write("b")
    assert.match((await refusalMessage(write("c")))!, /limit reached on type Namespace for key made-by-it/)
  })

  it("ask who may say whose an object is", async () => {
    const storage = plane.registry.storage(configMap)
    const ref = { namespace: "default", name: "owned" }
    const request = {
      user: { name: "nobody", groups: ["system:authenticated"] },
      fieldManager: "",
      dryRun: false,
      options: {},
      warnings: [],
    }
    const owner = { apiVersion: "v1", kind: "Pod", name: "a", uid: "u", blockOwnerDeletion: true }
    const object = (ownerReferences: object[]): never =>
      ({ apiVersion: "v1", kind: "ConfigMap", metadata: { ...ref, ownerReferences } }) as never
    assert.match(
      (await refusalMessage(createObject(storage, "default", object([owner]), request)))!,
      /^configmaps "owned" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: .*, <nil>$/,
    )
    await createObject(storage, "default", object([{ ...owner, blockOwnerDeletion: false }]), request)
    const emptied = { subresource: "", strategy: mainStrategy, next: () => object([]) }
    assert.match(
      (await refusalMessage(updateObject(storage, ref, request, emptied)))!,
      /cannot set an ownerRef on a resource you can't delete: .*, <nil>$/,
    )
  })

  it("give pods the topology of their nodes, and see that they fit there", async () => {
    const zone = "topology.kubernetes.io/zone"
    await plane.client().create(node, { metadata: { name: "n", labels: { [zone]: "z" } }, spec: {} })
    await plane
      .client()
      .patch(
        node,
        { name: "n" },
        "merge",
        { status: { allocatable: { cpu: "2", memory: "1Gi" } } },
        { subresource: "status" },
      )
    const requests = { cpu: "1", memory: "1Mi" }
    const containers = [{ name: "c", image: "i:1", resources: { requests } }]
    const { metadata } = await made("on-node", { nodeName: "n", containers })
    assert.equal(metadata.labels?.[zone], "z")
    const at = { namespace: "default", name: "on-node" }
    const resized = { spec: { containers: [{ name: "c", resources: { requests: { cpu: "3" } } }] } }
    assert.match(
      (await refusalMessage(plane.client().patch(pod, at, "strategic", resized, { subresource: "resize" })))!,
      /node didn't have enough allocatable resources: cpu, requested: 3000, allocatable: 2000$/,
    )
  })

  it("are not configured in words that they do not know", async () => {
    const failed = async (plugins: object[]): Promise<string> => {
      const configFile = join(dir, "wrong.yaml")
      writeFileSync(configFile, JSON.stringify({ ...configuration, plugins }))
      try {
        await withTestPlane(async () => {}, { env: testEnv, admission: { enable, configFile } })
        return ""
      } catch (thrown) {
        return (thrown as Error).message
      }
    }
    assert.match(await failed([{ name: "Other", configuration: {} }]), /"Other": there is none of that name$/)
    const limits = { ...configuration.plugins[2]!.configuration, limits: [{ type: "All", qps: 1, burst: 1 }] }
    assert.match(
      await failed([{ name: "EventRateLimit", configuration: limits }]),
      /limits\[0\]\.type: Unsupported value: "All"/,
    )
    assert.match(await failed([{ name: "PodNodeSelector", path: "none.yaml" }]), /none\.yaml/)
  })
})
