import assert from "node:assert/strict"
import { test } from "node:test"
import { configMap, event, node, type ConfigMap } from "@knarr/api"
import { isForbidden, isNotFound } from "@knarr/apimachinery"
import type { Authorizer, UserInfo } from "./contract.ts"
import { createLoopbackClient } from "./loopback-client.ts"
import { startTestRegistry } from "./registry/testing.ts"

const ns = "default"
const cm = (name: string): ConfigMap =>
  ({ metadata: { name, namespace: ns }, data: { a: "b" } }) as unknown as ConfigMap

test("the loopback client asks the authorizer as the user it stands for", async () => {
  await using t = await startTestRegistry()
  const asked: string[] = []
  const authorizer: Authorizer = {
    authorize(user: UserInfo, { verb, resource, namespace }) {
      asked.push(`${user.name} ${user.groups.join("+")} ${verb} ${resource} ${namespace}`)
      return verb === "get" ? { verdict: "noOpinion", reason: "no" } : { verdict: "allow", reason: "" }
    },
  }
  const admin = { name: "admin", groups: ["system:masters"] }
  const client = createLoopbackClient({ registry: t.registry, user: admin, authorizer })
  const robot = client.as({ name: "system:serviceaccount:kube-system:robot", userAgent: "robot/1" })
  const made = await robot.create(configMap, cm("a"))
  assert.equal(made.metadata.managedFields![0]!.manager, "robot")
  await assert.rejects(robot.get(configMap, { namespace: ns, name: "a" }), (thrown: Error) => {
    assert.ok(isForbidden(thrown))
    assert.equal(
      thrown.message,
      'configmaps "a" is forbidden: User "system:serviceaccount:kube-system:robot" cannot get resource "configmaps" in API group "" in the namespace "default": no',
    )
    return true
  })
  const groups = "system:serviceaccounts+system:serviceaccounts:kube-system+system:authenticated"
  assert.equal(asked[0], `system:serviceaccount:kube-system:robot ${groups} create configmaps default`)
})

test("what a caller hands over stays its own, and is not frozen", async () => {
  await using t = await startTestRegistry()
  const mine = cm("a")
  const made = await t.client.create(configMap, mine)
  mine.data!.a = "changed"
  assert.equal(made.data!.a, "b")
  assert.throws(() => {
    made.data!.a = "c"
  }, TypeError)
})

test("events end by themselves", async () => {
  await using t = await startTestRegistry()
  const ref = { namespace: ns, name: "e" }
  await t.client.create(event, {
    metadata: ref,
    involvedObject: { namespace: ns, name: "x" },
    type: "Normal",
    reason: "r",
  } as never)
  await t.clock.advance(3500_000)
  await t.client.get(event, ref)
  await t.clock.advance(200_000)
  await assert.rejects(t.client.get(event, ref), isNotFound)
})

test("kinds come and go while the registry runs", async () => {
  await using t = await startTestRegistry({ kinds: [event] })
  await t.store.put(
    "/registry/configmaps/default/old",
    Buffer.from(
      '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"old","namespace":"default","uid":"u"}}',
    ),
  )
  await t.registry.addKind(configMap)
  const { items } = await t.client.list(configMap)
  assert.deepEqual(
    items.map((item) => item.metadata.name),
    ["old"],
  )
  await t.client.create(configMap, cm("new"))
  assert.equal((await t.client.list(configMap)).items.length, 2)
  t.registry.removeKind(configMap)
  await assert.rejects(t.client.list(configMap), {
    message: "the server could not find the requested resource",
  })
})

test("of a kind in no namespace there is no subresource in one", async () => {
  await using t = await startTestRegistry({ kinds: [node] })
  await t.client.create(node, { metadata: { name: "n" } } as never)
  const outside = { name: "n" }
  const inside = { name: "n", namespace: "default" }
  for (const ask of [
    (ref: typeof outside) => t.client.getSubresource(node, ref, "status"),
    (ref: typeof outside) => t.client.patch(node, ref, "merge", {}, { subresource: "status" }),
  ]) {
    await ask(outside)
    await assert.rejects(ask(inside), { message: "the server could not find the requested resource" })
  }
})
