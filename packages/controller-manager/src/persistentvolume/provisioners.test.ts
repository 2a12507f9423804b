import assert from "node:assert/strict"
import { test } from "node:test"
import type { PersistentVolume } from "@knarr/api"
import { deletionFinalizers, migratedAnnotations } from "./provisioners.ts"

const provisionedBy = "pv.kubernetes.io/provisioned-by"
const migratedTo = "pv.kubernetes.io/migrated-to"

test("a former plugin's objects name the driver that does its work, and others none", () => {
  const cases: [Record<string, string> | undefined, Record<string, string> | undefined][] = [
    [undefined, undefined],
    [{ other: "x" }, undefined],
    [{ [provisionedBy]: "csi.example.com" }, undefined],
    [
      { [provisionedBy]: "kubernetes.io/gce-pd" },
      { [provisionedBy]: "kubernetes.io/gce-pd", [migratedTo]: "pd.csi.storage.gke.io" },
    ],
    [{ [provisionedBy]: "kubernetes.io/gce-pd", [migratedTo]: "pd.csi.storage.gke.io" }, undefined],
    [{ [provisionedBy]: "csi.example.com", [migratedTo]: "old" }, { [provisionedBy]: "csi.example.com" }],
    [{ [provisionedBy]: "constructor" }, undefined],
  ]
  for (const [before, after] of cases) assert.deepEqual(migratedAnnotations(before, [provisionedBy]), after)
})

test("a volume that a plugin inside made is kept until it is deleted, as its policy wants", () => {
  const inTree = "kubernetes.io/pv-controller"
  const external = "external-provisioner.volume.kubernetes.io/finalizer"
  const cases: [by: string | undefined, policy: string, string[] | undefined, string[] | undefined][] = [
    [undefined, "Delete", [], undefined],
    ["csi.example.com", "Delete", [external], undefined],
    ["kubernetes.io/x", "Delete", undefined, [inTree]],
    ["kubernetes.io/x", "Delete", ["a", inTree], undefined],
    ["kubernetes.io/x", "Retain", ["a", inTree], ["a"]],
    ["kubernetes.io/x", "Delete", [external, inTree], [inTree]],
    ["kubernetes.io/gce-pd", "Delete", ["a", inTree, external], ["a", external]],
  ]
  for (const [by, persistentVolumeReclaimPolicy, finalizers, expected] of cases) {
    const annotations = by === undefined ? undefined : { [provisionedBy]: by }
    const volume = {
      metadata: { name: "v", annotations, finalizers },
      spec: { persistentVolumeReclaimPolicy },
    }
    assert.deepEqual(
      deletionFinalizers(volume as unknown as PersistentVolume),
      expected,
      `${by} ${finalizers?.join()}`,
    )
  }
})
