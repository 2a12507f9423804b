import assert from "node:assert/strict"
import { test } from "node:test"
import type { APIService } from "@knarr/api"
import { nextStep } from "./auto-register.ts"

const label = "kube-aggregator.kubernetes.io/automanaged"

const of = (management?: string, versionPriority = 1): APIService => ({
  apiVersion: "apiregistration.k8s.io/v1",
  kind: "APIService",
  metadata: { name: "v1.x", labels: management ? { [label]: management } : {} } as APIService["metadata"],
  spec: { group: "x", version: "v1", groupPriorityMinimum: 1, versionPriority },
  status: {},
})

test("what becomes of an API service is upstream's table", () => {
  const fresh = { synced: false, presentAtStart: true }
  const synced = { synced: true, presentAtStart: true }
  const later = { synced: false, presentAtStart: false }
  const start = of("onstart", 2)
  const always = of("true", 2)
  const service = { ...of("true"), spec: { ...of().spec, service: { namespace: "kube-system", name: "m" } } }
  for (const [what, desired, current, state, step] of [
    ["neither", undefined, undefined, fresh, undefined],
    ["wanted at start", start, undefined, fresh, "create"],
    ["wanted at start, and deleted later", start, undefined, synced, undefined],
    ["wanted always", always, undefined, synced, "create"],
    ["somebody's own", always, of(), fresh, undefined],
    ["somebody's own that nobody wants", undefined, of(), fresh, undefined],
    ["of the start, made later", always, of("onstart"), later, undefined],
    ["of the start, unwanted", undefined, of("onstart"), fresh, "delete"],
    ["of the start, unwanted, seen before", undefined, of("onstart"), synced, undefined],
    ["of the start, another", start, of("onstart"), fresh, "update"],
    ["unwanted", undefined, of("true"), synced, "delete"],
    ["another", always, of("true"), synced, "update"],
    ["another's", always, service, synced, "update"],
    ["another's, who may", always, service, { ...synced, yields: true }, undefined],
    ["deleted by whoever took its place", always, undefined, { ...synced, yields: true }, "create"],
    ["the same", always, of("true", 2), synced, undefined],
  ] as const)
    assert.equal(nextStep(desired, current, { yields: false, ...state }), step, what)
})
