import assert from "node:assert/strict"
import { test } from "node:test"
import type { KubeObject } from "@knarr/apimachinery"
import { nodeOf, OfflineScheduler, podOf } from "../testing.ts"

const claim = (name: string, status: object): KubeObject =>
  ({
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: { namespace: "default", name, uid: name, resourceVersion: "1" },
    spec: {},
    status,
  }) as never
const onNode = (name: string): object => ({
  allocation: {
    nodeSelector: {
      nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: [name] }] }],
    },
  },
})
const names = (resourceClaimName: string): object => ({ resourceClaims: [{ name: "c", resourceClaimName }] })
const template = { resourceClaims: [{ name: "c", resourceClaimTemplateName: "t" }] }
const made = { resourceClaimStatuses: [{ name: "c", resourceClaimName: "x" }] }
const noHelp = " preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."

test("a pod goes where the devices of its claims are, and nowhere while there are none", async () => {
  const cases: [string, KubeObject[], object, object, string][] = [
    ["allocated on one node", [claim("x", onNode("b"))], names("x"), {}, "b"],
    [
      "allocated elsewhere",
      [claim("x", onNode("z"))],
      names("x"),
      {},
      `0/2 nodes are available: 2 resourceclaim not available on the node.${noHelp}`,
    ],
    [
      "not allocated",
      [claim("x", {})],
      names("x"),
      {},
      `0/2 nodes are available: resourceclaim default/x is not allocated, and no devices are allocated here.${noHelp}`,
    ],
    ["not there", [], names("x"), {}, `0/2 nodes are available: resourceclaim "x" not found.${noHelp}`],
    [
      "not made yet",
      [],
      template,
      {},
      `0/2 nodes are available: pod "default/p", spec.resourceClaim "c": ResourceClaim not created yet.${noHelp}`,
    ],
    [
      "made for another pod",
      [claim("x", onNode("a"))],
      template,
      made,
      `0/2 nodes are available: ResourceClaim default/x was not created for Pod default/p (Pod is not owner).${noHelp}`,
    ],
    ["none needed", [], template, { resourceClaimStatuses: [{ name: "c" }] }, "a or b"],
  ]
  for (const [what, objects, spec, status, expected] of cases) {
    const scheduler = new OfflineScheduler()
    for (const name of ["a", "b"]) scheduler.cache.setNode(nodeOf(name))
    for (const obj of objects) scheduler.put(obj)
    const pod = podOf({ name: "p", spec, status })
    const outcome = await scheduler.outcome(pod)
    assert.equal(expected === "a or b" && ["a", "b"].includes(outcome) ? expected : outcome, expected, what)
    const isGated = scheduler.profile.preEnqueue(pod) !== undefined
    assert.equal(isGated, / not found| yet| owner/.test(expected), what)
  }
})
