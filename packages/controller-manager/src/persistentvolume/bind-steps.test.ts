import assert from "node:assert/strict"
import { test } from "node:test"
import type { PersistentVolume, PersistentVolumeClaim } from "@knarr/api"
import { deepFreeze } from "@knarr/apimachinery"
import { bindStep, claimStatusStep, unbindStep } from "./bind-steps.ts"

type Spec<T extends { spec: unknown }> = Partial<T["spec"]>

const claim = (spec: Spec<PersistentVolumeClaim> = {}, status: object = { phase: "Pending" }) =>
  deepFreeze({
    metadata: { namespace: "ns", name: "claim", uid: "claim-uid", resourceVersion: "7" },
    spec: { accessModes: ["ReadWriteOnce"], ...spec },
    status,
  } as unknown as PersistentVolumeClaim)

const volume = (spec: Spec<PersistentVolume> = {}, annotations?: object) =>
  deepFreeze({
    metadata: { name: "volume", annotations },
    spec: { accessModes: ["ReadWriteOnce", "ReadOnlyMany"], capacity: { storage: "1Gi" }, ...spec },
    status: { phase: "Available" },
  } as unknown as PersistentVolume)

/** Every write until nothing is left, in words. */
function writes(
  next: (one: PersistentVolume, other: PersistentVolumeClaim) => ReturnType<typeof bindStep>,
  theVolume: PersistentVolume,
  theClaim: PersistentVolumeClaim,
): { said: string[]; volume: PersistentVolume; claim: PersistentVolumeClaim } {
  const said: string[] = []
  for (;;) {
    const step = next(theVolume, theClaim)
    if (!step) return { said, volume: theVolume, claim: theClaim }
    said.push(`${"volume" in step ? "volume" : "claim"}${step.status ? " status" : ""}`)
    if ("volume" in step) theVolume = deepFreeze(step.volume)
    else theClaim = deepFreeze(step.claim)
  }
}

test("binding takes four writes, the volume's first, and none when it is done", () => {
  const bound = writes(bindStep, volume(), claim())
  assert.deepEqual(bound.said, ["volume", "volume status", "claim", "claim status"])
  assert.deepEqual(bound.claim.status, {
    phase: "Bound",
    accessModes: ["ReadWriteOnce", "ReadOnlyMany"],
    capacity: { storage: "1Gi" },
  })
  assert.deepEqual(writes(bindStep, bound.volume, bound.claim).said, [])
})

test("letting go of a volume frees it for anybody, unless a user meant it for the claim", () => {
  const bound = writes(bindStep, volume(), claim())
  const freed = writes(unbindStep, bound.volume, bound.claim)
  assert.deepEqual(freed.said, ["volume", "volume status"])
  assert.equal(freed.volume.spec.claimRef, undefined)
  assert.equal(freed.volume.metadata.annotations, undefined)
  const meant = writes(bindStep, volume({ claimRef: { namespace: "ns", name: "claim" } }), claim())
  const kept = writes(unbindStep, meant.volume, meant.claim)
  assert.deepEqual([kept.volume.spec.claimRef?.name, kept.volume.spec.claimRef?.uid], ["claim", undefined])
})

test("what a claim's status says of its size", () => {
  const preResize = "volume.alpha.kubernetes.io/pre-resize-capacity"
  const cases: [string, object, PersistentVolume, object | undefined][] = [
    ["as the volume has it", { phase: "Pending" }, volume(), { storage: "1Gi" }],
    [
      "nothing new of a bound one",
      { phase: "Bound", capacity: { storage: "1Mi" } },
      volume(),
      { storage: "1Mi" },
    ],
    [
      "as it is written when it is the same",
      { phase: "Pending", capacity: { storage: "1024Mi" } },
      volume(),
      { storage: "1024Mi" },
    ],
    [
      "the size before it grew",
      { phase: "Pending" },
      volume({}, { [preResize]: "512Mi" }),
      { storage: "512Mi" },
    ],
    [
      "the volume's when that cannot be read",
      { phase: "Pending" },
      volume({}, { [preResize]: "much" }),
      { storage: "1Gi" },
    ],
  ]
  for (const [name, status, of, expected] of cases) {
    const step = claimStatusStep(claim({}, status), "Bound", of)
    assert.ok(step && "claim" in step, name)
    assert.deepEqual(step.claim.status.capacity, expected, name)
  }
  assert.throws(() => claimStatusStep(claim(), "Bound", volume({ capacity: {} })), {
    message: 'PersistentVolume "volume" is without a storage capacity',
  })
})

test("the attributes class of a volume is taken when it is bound, and left alone afterwards", () => {
  const classOf = (status: object): string | undefined => {
    const step = claimStatusStep(claim({}, status), "Bound", volume({ volumeAttributesClassName: "gold" }))
    return step && "claim" in step ? step.claim.status.currentVolumeAttributesClassName : undefined
  }
  assert.equal(classOf({ phase: "Pending" }), "gold")
  assert.equal(classOf({ phase: "Lost", currentVolumeAttributesClassName: "silver" }), "silver")
})
