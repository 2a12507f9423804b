import assert from "node:assert/strict"
import { test } from "node:test"
import { findCondition, removeCondition, setCondition } from "./conditions.ts"
import { fieldErrorMessage } from "./field-error.ts"
import { scaledValueFromIntOrPercent } from "./int-or-string.ts"
import type { Condition, ObjectMeta } from "./meta/types.gen.ts"
import { nameIsDNSSubdomain } from "./names.ts"
import { validateObjectMeta, validateObjectMetaUpdate } from "./object-meta.validate.ts"
import { controllerOf, isControlledBy, newControllerRef, objectKey, parseKey } from "./references.ts"

const base: ObjectMeta = { name: "a", namespace: "b", uid: "u", resourceVersion: "1", creationTimestamp: "t" }

function problems(meta: Partial<ObjectMeta>, namespaced = true): string[] {
  return validateObjectMeta({ ...base, ...meta }, namespaced, nameIsDNSSubdomain, "metadata").map(
    fieldErrorMessage,
  )
}

test("metadata of a new object", () => {
  assert.deepEqual(problems({}), [])
  assert.deepEqual(problems({ name: "" }), [
    "metadata.name: Required value: name or generateName is required",
  ])
  assert.deepEqual(problems({ namespace: "" }), ["metadata.namespace: Required value"])
  assert.deepEqual(problems({}, false), ["metadata.namespace: Forbidden: not allowed on this type"])
  assert.deepEqual(problems({ annotations: { a: "x".repeat(256 * 1024) } }), [
    "metadata.annotations: Too long: may not be more than 262144 bytes",
  ])
  assert.deepEqual(problems({ finalizers: ["orphan", "foregroundDeletion"] }), [
    'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: ' +
      "finalizer orphan and foregroundDeletion cannot be both set",
  ])
  assert.deepEqual(problems({ ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: "", uid: "" }] }), [
    "metadata.ownerReferences[0].name: Required value: must not be empty",
    "metadata.ownerReferences[0].uid: Required value: must not be empty",
  ])
  assert.deepEqual(problems({ managedFields: [{ operation: "X", fieldsType: "Y" }] }), [
    'metadata.managedFields[0].operation: Unsupported value: "X": supported values: "Apply", "Update"',
    'metadata.managedFields[0].fieldsType: Invalid value: "Y": must be `FieldsV1`',
  ])
})

test("metadata of an update", () => {
  const update = (meta: Partial<ObjectMeta>, old: Partial<ObjectMeta> = {}): string[] =>
    validateObjectMetaUpdate({ ...base, ...meta }, { ...base, ...old }, "metadata").map(fieldErrorMessage)
  assert.deepEqual(update({}), [])
  assert.deepEqual(update({ name: "c" }), ['metadata.name: Invalid value: "c": field is immutable'])
  assert.deepEqual(update({ resourceVersion: "" }), [
    'metadata.resourceVersion: Invalid value: "": must be specified for an update',
  ])
  assert.deepEqual(update({ deletionTimestamp: "t", finalizers: ["a/b"] }, { deletionTimestamp: "t" }), [
    "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, " +
      'found new finalizers []string{"a/b"}',
  ])
})

test("references", () => {
  const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", metadata: base }
  const owned = {
    metadata: { ownerReferences: [newControllerRef(owner, { apiVersion: "apps/v1", kind: "ReplicaSet" })] },
  }
  assert.deepEqual(controllerOf(owned), {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    name: "a",
    uid: "u",
    controller: true,
    blockOwnerDeletion: true,
  })
  assert.ok(isControlledBy(owned, owner))
  assert.equal(objectKey(owner), "b/a")
  assert.deepEqual(parseKey("b/a"), { namespace: "b", name: "a" })
  assert.deepEqual(parseKey("a"), { name: "a" })
  assert.throws(() => parseKey("a/b/c"))
})

test("conditions keep the time of the transition while the status stays", () => {
  const list: Condition[] = []
  const ready = { type: "Ready", status: "True", reason: "A", message: "" }
  assert.ok(setCondition(list, ready, "t1"))
  assert.ok(!setCondition(list, ready, "t2"))
  assert.ok(setCondition(list, { ...ready, reason: "B" }, "t3"))
  assert.equal(findCondition(list, "Ready")?.lastTransitionTime, "t1")
  assert.ok(setCondition(list, { ...ready, status: "False" }, "t4"))
  assert.equal(findCondition(list, "Ready")?.lastTransitionTime, "t4")
  assert.ok(removeCondition(list, "Ready"))
  assert.deepEqual(list, [])
})

test("numbers or percentages", () => {
  assert.equal(scaledValueFromIntOrPercent(3, 10, true), 3)
  assert.equal(scaledValueFromIntOrPercent("25%", 10, true), 3)
  assert.equal(scaledValueFromIntOrPercent("25%", 10, false), 2)
  assert.throws(() => scaledValueFromIntOrPercent("3", 10, true), {
    message: "invalid value for IntOrString: invalid type: string is not a percentage",
  })
})
