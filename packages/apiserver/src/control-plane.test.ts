import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  clusterRole,
  clusterRoleBinding,
  kinds,
  namespace,
  node,
  pod,
  service,
  serviceAccount,
} from "@knarr/api"
import { Scope, createPrivateKeyPem } from "@knarr/base"
import { virtualEnv } from "@knarr/testkit"
import { createMemoryStore } from "@knarr/store"
import { createControlPlane, type ControlPlane } from "./control-plane.ts"

const env = virtualEnv()
const signal = new AbortController().signal

async function withPlane(
  run: (plane: ControlPlane, again: () => Promise<ControlPlane>) => Promise<void>,
): Promise<void> {
  await using scope = new Scope("test")
  const store = scope.use(createMemoryStore({ env }))
  const serviceAccounts = { signingKey: createPrivateKeyPem(), issuers: ["https://kubernetes.default.svc"] }
  const start = async (): Promise<ControlPlane> => {
    const plane = await createControlPlane({ env, store, kinds, scope, serviceAccounts })
    await plane.bootstrap()
    return plane
  }
  await run(await start(), start)
}

describe("control plane on a virtual clock", () => {
  it("begins with what every cluster has, and a second start changes nothing", async () => {
    await withPlane(async (plane, again) => {
      assert.deepEqual(
        plane.registry.list(namespace).map((n) => n.metadata.name),
        ["default", "kube-node-lease", "kube-public", "kube-system"],
      )
      assert.equal(
        plane.registry.get(service, { namespace: "default", name: "kubernetes" })?.spec.clusterIP,
        "10.96.0.1",
      )
      const before = plane.registry.store.revision
      await again()
      assert.equal(plane.registry.store.revision, before)
    })
  })

  it("gives a bootstrap role back what it lacks", async () => {
    await withPlane(async (plane, again) => {
      const client = plane.client()
      const found = await client.get(clusterRole, { name: "system:basic-user" }, { signal })
      await client.update(clusterRole, { ...structuredClone(found), rules: [] })
      const binding = await client.get(clusterRoleBinding, { name: "cluster-admin" })
      await client.update(clusterRoleBinding, { ...structuredClone(binding), subjects: [] })
      const second = await again()
      assert.deepEqual(
        second.registry.get(clusterRole, { name: "system:basic-user" })?.rules?.length,
        found.rules!.flatMap((r) => r.resources ?? []).length,
      )
      assert.equal(
        second.registry.get(clusterRoleBinding, { name: "cluster-admin" })?.subjects?.[0]?.name,
        "system:masters",
      )
    })
  })

  it("keeps a kubelet to its own node", async () => {
    await withPlane(async (plane) => {
      const admin = plane.client()
      const kubelet = plane.client({
        name: "system:node:n1",
        groups: ["system:nodes", "system:authenticated"],
      })
      await admin.create(serviceAccount, {
        apiVersion: "v1",
        kind: "ServiceAccount",
        metadata: { namespace: "default", name: "default" },
      })
      const created = await kubelet.create(node, {
        apiVersion: "v1",
        kind: "Node",
        metadata: { name: "n1" },
        spec: {},
      })
      assert.deepEqual(created.spec.taints, [{ key: "node.kubernetes.io/not-ready", effect: "NoSchedule" }])
      await assert.rejects(
        kubelet.create(node, { apiVersion: "v1", kind: "Node", metadata: { name: "n2" }, spec: {} }),
        { message: 'nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"' },
      )
      await assert.rejects(kubelet.get(node, { name: "n2" }), {
        message:
          'nodes "n2" is forbidden: User "system:node:n1" cannot get resource "nodes" in API group "" at the cluster scope: ' +
          "node: node 'n1' cannot read 'n2', only its own Node object",
      })
      const spec = { containers: [{ name: "a", image: "x" }] }
      await assert.rejects(
        kubelet.create(pod, {
          apiVersion: "v1",
          kind: "Pod",
          metadata: { namespace: "default", name: "p" },
          spec,
        }),
        {
          message:
            'pods "p" is forbidden: pod does not have "kubernetes.io/config.mirror" annotation, node "n1" can only create mirror pods',
        },
      )
      await admin.create(pod, {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { namespace: "default", name: "p" },
        spec,
      })
      await assert.rejects(
        kubelet.get(pod, { namespace: "default", name: "p" }),
        /no relationship found between node 'n1' and this object/,
      )
      await admin.createSubresource(pod, { namespace: "default", name: "p" }, "binding", {
        apiVersion: "v1",
        kind: "Binding",
        metadata: { name: "p" },
        target: { kind: "Node", name: "n1" },
      })
      assert.equal((await kubelet.get(pod, { namespace: "default", name: "p" })).spec.nodeName, "n1")
    })
  })

  it("refuses pods without a service account, an unknown class, or a namespace", async () => {
    await withPlane(async (plane) => {
      const client = plane.client()
      const create = (namespaceName: string, spec: object): Promise<unknown> =>
        client.create(pod, {
          apiVersion: "v1",
          kind: "Pod",
          metadata: { namespace: namespaceName, name: "p2" },
          spec: { containers: [{ name: "a", image: "x" }], ...spec },
        })
      await assert.rejects(create("default", { serviceAccountName: "none" }), {
        message:
          'pods "p2" is forbidden: error looking up service account default/none: serviceaccount "none" not found',
      })
      await assert.rejects(create("nowhere", {}), { message: 'namespaces "nowhere" not found' })
      await client.create(serviceAccount, {
        apiVersion: "v1",
        kind: "ServiceAccount",
        metadata: { namespace: "default", name: "default" },
      })
      await assert.rejects(create("default", { priorityClassName: "zz" }), {
        message: 'pods "p2" is forbidden: no PriorityClass with name zz was found',
      })
    })
  })
})
