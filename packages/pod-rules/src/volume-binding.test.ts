import assert from "node:assert/strict"
import { test } from "node:test"
import type { Node, PersistentVolume, PersistentVolumeClaim, StorageClass } from "@knarr/api"
import { deepFreeze } from "@knarr/apimachinery"
import {
  bindVolumeToClaim,
  claimHasClass,
  findMatchingVolume,
  isDelayBindingProvisioning,
  isVolumeBoundToClaim,
  type MatchOptions,
  newestDefaultStorageClass,
  storageClassNameOf,
  volumeFitsNode,
  volumeModesDiffer,
  waitsForFirstConsumer,
} from "./index.ts"

const claim = (spec: object = {}, metadata: object = {}): PersistentVolumeClaim =>
  deepFreeze({
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { namespace: "ns", name: "claim", uid: "claim-uid", resourceVersion: "7", ...metadata },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "100G" } }, ...spec },
    status: { phase: "Pending" },
  } as unknown as PersistentVolumeClaim)

const volume = (name: string, size: string, spec: object = {}, metadata: object = {}, phase = "Available") =>
  deepFreeze({
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name, uid: `${name}-uid`, ...metadata },
    spec: { capacity: { storage: size }, accessModes: ["ReadWriteOnce"], ...spec },
    status: { phase },
  } as unknown as PersistentVolume)

const onKey = (...values: string[]): object => ({
  nodeAffinity: {
    required: {
      nodeSelectorTerms: [{ matchExpressions: [{ key: "key", operator: "In", values }] }],
    },
  },
})
const node = (value: string): Node =>
  ({ metadata: { name: value, labels: { key: value } } }) as unknown as Node
const forClaim = (name: string, uid?: string): object => ({ claimRef: { namespace: "ns", name, uid } })

test("which volume a claim gets", () => {
  const cases: [string, PersistentVolumeClaim, PersistentVolume[], string | undefined, MatchOptions?][] = [
    ["none of none", claim(), [], undefined],
    [
      "the smallest that is large enough",
      claim(),
      [volume("b", "200G"), volume("a", "150G"), volume("s", "99G")],
      "a",
    ],
    ["the first of the same size", claim(), [volume("z", "100G"), volume("a", "100000M")], "z"],
    [
      "none of another class",
      claim({ storageClassName: "gold" }),
      [volume("a", "100G"), volume("b", "100G", { storageClassName: "silver" })],
      undefined,
    ],
    [
      "the beta annotation is the class, whatever the field says",
      claim(
        { storageClassName: "silver" },
        { annotations: { "volume.beta.kubernetes.io/storage-class": "gold" } },
      ),
      [
        volume("a", "100G", { storageClassName: "silver" }),
        volume("b", "200G", { storageClassName: "gold" }),
      ],
      "b",
    ],
    [
      "one whose labels the selector wants",
      claim({ selector: { matchLabels: { tier: "fast" } } }),
      [volume("a", "100G"), volume("b", "200G", {}, { labels: { tier: "fast" } })],
      "b",
    ],
    ["an empty selector wants nothing", claim({ selector: {} }), [volume("a", "100G")], "a"],
    [
      "none of another mode, and none said is a file system",
      claim(),
      [volume("a", "100G", { volumeMode: "Block" }), volume("b", "200G", { volumeMode: "Filesystem" })],
      "b",
    ],
    [
      "none of another attributes class, and the empty one is none",
      claim({ volumeAttributesClassName: "" }),
      [volume("a", "100G", { volumeAttributesClassName: "gold" }), volume("b", "200G")],
      "b",
    ],
    [
      "none that is being deleted",
      claim(),
      [volume("a", "100G", {}, { deletionTimestamp: "2026-01-01T00:00:00Z" })],
      undefined,
    ],
    [
      "none that is not available",
      claim(),
      [volume("a", "100G", {}, {}, "Released"), volume("b", "100G", {}, {}, "")],
      undefined,
    ],
    ["none that another claim has", claim(), [volume("a", "100G", forClaim("other"))], undefined],
    [
      "none that was kept for an earlier claim of the name",
      claim(),
      [volume("a", "100G", forClaim("claim", "old"))],
      undefined,
    ],
    [
      "one that names it before a smaller one",
      claim(),
      [volume("a", "100G"), volume("b", "300G", forClaim("claim"))],
      "b",
    ],
    [
      "one that names it, whatever its phase, class, labels and access modes",
      claim({
        storageClassName: "gold",
        selector: { matchLabels: { a: "b" } },
        accessModes: ["ReadWriteMany"],
      }),
      [volume("b", "300G", forClaim("claim"), {}, "Pending")],
      "b",
    ],
    [
      "one that names it but is too small is none",
      claim(),
      [volume("b", "1G", forClaim("claim"))],
      undefined,
    ],
    [
      "none is chosen for a claim that waits",
      claim(),
      [volume("a", "100G")],
      undefined,
      { delayBinding: true },
    ],
    ["but one that names it", claim(), [volume("a", "100G", forClaim("claim"))], "a", { delayBinding: true }],
    [
      "the scheduler takes what the node can use",
      claim(),
      [volume("a", "100G", onKey("one")), volume("b", "200G", onKey("one", "two")), volume("c", "300G")],
      "b",
      { node: node("two"), delayBinding: true },
    ],
    [
      "the scheduler leaves out what other claims of the pod get",
      claim(),
      [volume("a", "100G"), volume("b", "200G")],
      "b",
      { node: node("two"), excluded: new Set(["a"]) },
    ],
    [
      "the scheduler wants every access mode",
      claim({ accessModes: ["ReadWriteOnce", "ReadOnlyMany"] }),
      [
        volume("a", "100G"),
        volume("b", "200G", { accessModes: ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany"] }),
      ],
      "b",
      { node: node("two") },
    ],
    [
      "ReadWriteOncePod is met by itself only",
      claim({ accessModes: ["ReadWriteOncePod"] }),
      [volume("a", "100G"), volume("b", "200G", { accessModes: ["ReadWriteOncePod"] })],
      "b",
      { node: node("two") },
    ],
    [
      "a volume that names the claim and is elsewhere leaves none",
      claim(),
      [volume("a", "100G", { ...forClaim("claim"), ...onKey("one") }), volume("b", "200G")],
      undefined,
      { node: node("two") },
    ],
  ]
  for (const [name, wanted, volumes, expected, options] of cases)
    assert.equal(findMatchingVolume(wanted, volumes, options)?.metadata.name, expected, name)
})

test("a selector that cannot be read is an error", () => {
  const bad = claim({ selector: { matchExpressions: [{ key: "a", operator: "Near" }] } })
  assert.throws(() => findMatchingVolume(bad, []), /"Near" is not a valid label selector operator/)
})

test("a volume is bound to the claim that it names", () => {
  const cases: [string, object, boolean][] = [
    ["nobody", {}, false],
    ["the name alone", forClaim("claim"), true],
    ["name and uid", forClaim("claim", "claim-uid"), true],
    ["an earlier one of the name", forClaim("claim", "old"), false],
    ["another name", forClaim("other", "claim-uid"), false],
    ["another namespace", { claimRef: { namespace: "other", name: "claim" } }, false],
  ]
  for (const [name, spec, expected] of cases)
    assert.equal(isVolumeBoundToClaim(volume("a", "1G", spec), claim()), expected, name)
})

test("binding a volume names the claim and who chose", () => {
  const claimRef = {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    namespace: "ns",
    name: "claim",
    uid: "claim-uid",
    resourceVersion: "7",
  }
  const chosen = { "pv.kubernetes.io/bound-by-controller": "yes" }
  const cases: [string, object, object | undefined, boolean, object | undefined][] = [
    ["a free volume", {}, { kept: "x" }, true, { kept: "x", ...chosen }],
    ["one that the user meant for the claim", forClaim("claim"), undefined, true, undefined],
    [
      "one that is bound already",
      { claimRef: { ...claimRef, resourceVersion: "3" } },
      undefined,
      false,
      undefined,
    ],
  ]
  for (const [name, spec, annotations, dirty, after] of cases) {
    const before = volume("a", "1G", spec, { annotations })
    const bound = bindVolumeToClaim(before, claim())
    assert.equal(bound.dirty, dirty, name)
    assert.deepEqual(bound.volume.metadata.annotations, after, name)
    assert.deepEqual(bound.volume.spec.claimRef, dirty ? claimRef : before.spec.claimRef, name)
  }
})

test("where a volume can be used, as what, and when it is made", () => {
  assert.equal(volumeFitsNode(volume("a", "1G"), undefined), true)
  assert.equal(volumeFitsNode(volume("a", "1G", onKey("one")), { key: "one" }), true)
  assert.equal(volumeFitsNode(volume("a", "1G", onKey("one")), { key: "two" }), false)
  assert.equal(volumeModesDiffer(claim(), volume("a", "1G", { volumeMode: "Block" })), true)
  assert.equal(
    volumeModesDiffer(claim({ volumeMode: "Block" }), volume("a", "1G", { volumeMode: "Block" })),
    false,
  )
  assert.equal(isDelayBindingProvisioning(claim()), false)
  const selected = claim({}, { annotations: { "volume.kubernetes.io/selected-node": "n" } })
  assert.equal(isDelayBindingProvisioning(selected), true)
})

test("which class a claim is of", () => {
  const beta = { annotations: { "volume.beta.kubernetes.io/storage-class": "" } }
  const cases: [PersistentVolumeClaim, has: boolean, name: string][] = [
    [claim(), false, ""],
    [claim({ storageClassName: "" }), true, ""],
    [claim({ storageClassName: "gold" }), true, "gold"],
    [claim({ storageClassName: "gold" }, beta), true, ""],
  ]
  for (const [one, has, name] of cases) {
    assert.equal(claimHasClass(one), has)
    assert.equal(storageClassNameOf(one), name)
  }
})

test("the newest default class is the default, by name among those of one second", () => {
  const of = (name: string, second: number, annotation?: string, value = "true"): StorageClass =>
    ({
      metadata: {
        name,
        creationTimestamp: `2026-01-01T00:00:0${second}Z`,
        annotations: annotation ? { [annotation]: value } : undefined,
      },
    }) as unknown as StorageClass
  const stable = "storageclass.kubernetes.io/is-default-class"
  const beta = "storageclass.beta.kubernetes.io/is-default-class"
  assert.equal(newestDefaultStorageClass([of("a", 1), of("b", 1, stable, "yes")]), undefined)
  const classes = [of("old", 1, stable), of("z", 5, beta), of("y", 5, stable), of("none", 9)]
  assert.equal(newestDefaultStorageClass(classes)?.metadata.name, "y")
})

test("a class says when its claims are bound", () => {
  const of = (volumeBindingMode?: string): StorageClass =>
    ({ metadata: { name: "gold" }, volumeBindingMode }) as StorageClass
  assert.equal(waitsForFirstConsumer(undefined), false)
  assert.equal(waitsForFirstConsumer(of("Immediate")), false)
  assert.equal(waitsForFirstConsumer(of("WaitForFirstConsumer")), true)
  assert.throws(() => waitsForFirstConsumer(of()), /VolumeBindingMode not set for StorageClass "gold"/)
})
