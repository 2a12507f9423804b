/** Checks of `metadata`, which are the same for every kind. Mirrors: apimachinery pkg/api/validation/objectmeta.go */
import { semanticEqual } from "./deep.ts"
import {
  child,
  forbidden,
  index,
  invalid,
  notSupported,
  required,
  tooLong,
  type FieldError,
} from "./field-error.ts"
import { byteLength, goQuote } from "./go-format.ts"
import type { LabelSelector, ManagedFieldsEntry, ObjectMeta, OwnerReference } from "./meta/types.gen.ts"
import { isQualifiedName, isValidLabelValue, nameIsDNSLabel, type ValidateName } from "./names.ts"
import { parseGroupVersion } from "./references.ts"

/** The most that an object's annotations may hold, keys and values together, in bytes. */
export const totalAnnotationSizeLimit = 256 * 1024

/** `field is immutable`. */
export const fieldImmutableMessage = "field is immutable"

const negativeMessage = "must be greater than or equal to 0"
const maxManagerLength = 128
const maxSubresourceLength = 256

/** Checks `metadata` of an object that is to be created. `path` is usually `metadata`. */
export function validateObjectMeta(
  meta: Readonly<ObjectMeta>,
  namespaced: boolean,
  validateName: ValidateName,
  path: string,
): FieldError[] {
  const out: FieldError[] = []
  if (meta.generateName) {
    for (const reason of validateName(meta.generateName, true))
      out.push(invalid(child(path, "generateName"), meta.generateName, reason))
  }
  if (!meta.name) out.push(required(child(path, "name"), "name or generateName is required"))
  else {
    for (const reason of validateName(meta.name, false))
      out.push(invalid(child(path, "name"), meta.name, reason))
  }
  if (namespaced) {
    if (!meta.namespace) out.push(required(child(path, "namespace"), ""))
    else {
      for (const reason of nameIsDNSLabel(meta.namespace, false))
        out.push(invalid(child(path, "namespace"), meta.namespace, reason))
    }
  } else if (meta.namespace) {
    out.push(forbidden(child(path, "namespace"), "not allowed on this type"))
  }
  out.push(...validateNonnegative(meta.generation ?? 0, child(path, "generation")))
  if (meta.labels) out.push(...validateLabels(meta.labels, child(path, "labels")))
  if (meta.annotations) out.push(...validateAnnotations(meta.annotations, child(path, "annotations")))
  if (meta.ownerReferences) {
    out.push(...validateOwnerReferences(meta.ownerReferences, child(path, "ownerReferences")))
  }
  if (meta.finalizers) out.push(...validateFinalizers(meta.finalizers, child(path, "finalizers")))
  if (meta.managedFields) out.push(...validateManagedFields(meta.managedFields, child(path, "managedFields")))
  return out
}

/** Checks `metadata` of an object that replaces `old`. */
export function validateObjectMetaUpdate(
  meta: Readonly<ObjectMeta>,
  old: Readonly<ObjectMeta>,
  path: string,
): FieldError[] {
  const out: FieldError[] = []
  if (old.deletionTimestamp) {
    out.push(
      ...validateNoNewFinalizers(meta.finalizers ?? [], old.finalizers ?? [], child(path, "finalizers")),
    )
  }
  if (!meta.resourceVersion) {
    out.push(invalid(child(path, "resourceVersion"), "", "must be specified for an update"))
  }
  const generation = meta.generation ?? 0
  out.push(...validateNonnegative(generation, child(path, "generation")))
  if (generation < (old.generation ?? 0)) {
    out.push(invalid(child(path, "generation"), generation, "must not be decremented"))
  }
  const text = (name: "name" | "namespace" | "uid"): FieldError[] =>
    validateImmutable(meta[name] ?? "", old[name] ?? "", child(path, name))
  out.push(...text("name"), ...text("namespace"), ...text("uid"))
  const value = (
    name: "creationTimestamp" | "deletionTimestamp" | "deletionGracePeriodSeconds",
  ): FieldError[] => validateImmutable(meta[name] ?? null, old[name] ?? null, child(path, name))
  out.push(
    ...value("creationTimestamp"),
    ...value("deletionTimestamp"),
    ...value("deletionGracePeriodSeconds"),
  )
  if (meta.labels) out.push(...validateLabels(meta.labels, child(path, "labels")))
  if (meta.annotations) out.push(...validateAnnotations(meta.annotations, child(path, "annotations")))
  if (meta.ownerReferences) {
    out.push(...validateOwnerReferences(meta.ownerReferences, child(path, "ownerReferences")))
  }
  if (meta.managedFields) out.push(...validateManagedFields(meta.managedFields, child(path, "managedFields")))
  return out
}

/** `value` must be 0 or more. */
export function validateNonnegative(value: number, path: string): FieldError[] {
  return value < 0 ? [invalid(path, value, negativeMessage)] : []
}

/** `value` must be what it was. */
export function validateImmutable(value: unknown, old: unknown, path: string): FieldError[] {
  return semanticEqual(value, old) ? [] : [invalid(path, value, fieldImmutableMessage)]
}

/** A label's key, or anything else that is a qualified name. */
export function validateLabelName(name: string, path: string): FieldError[] {
  return isQualifiedName(name).map((reason) => invalid(path, name, reason))
}

export function validateLabels(labels: Readonly<Record<string, string>>, path: string): FieldError[] {
  const out: FieldError[] = []
  for (const name in labels) {
    for (const reason of isQualifiedName(name)) out.push(invalid(path, name, reason))
    for (const reason of isValidLabelValue(labels[name]!)) out.push(invalid(path, labels[name], reason))
  }
  return out
}

export function validateAnnotations(
  annotations: Readonly<Record<string, string>>,
  path: string,
): FieldError[] {
  const out: FieldError[] = []
  let size = 0
  for (const name in annotations) {
    for (const reason of isQualifiedName(name.toLowerCase())) out.push(invalid(path, name, reason))
    size += byteLength(name) + byteLength(annotations[name]!)
  }
  if (size > totalAnnotationSizeLimit) out.push(tooLong(path, "", totalAnnotationSizeLimit))
  return out
}

export function validateOwnerReferences(refs: readonly OwnerReference[], path: string): FieldError[] {
  const out: FieldError[] = []
  let controller = ""
  refs.forEach((ref, at) => {
    out.push(...validateOwnerReference(ref, index(path, at)))
    if (ref.controller !== true) return
    const name = `${ref.kind}/${ref.name}`
    if (controller === "") controller = name
    else {
      out.push(
        invalid(
          path,
          refs,
          "Only one reference can have Controller set to true. " +
            `Found "true" in references for ${controller} and ${name}`,
        ),
      )
    }
  })
  return out
}

function validateOwnerReference(ref: OwnerReference, path: string): FieldError[] {
  const out: FieldError[] = []
  const gv = parseGroupVersion(ref.apiVersion ?? "")
  if (!ref.apiVersion) out.push(required(child(path, "apiVersion"), "must not be empty"))
  else if (!gv || gv.version === "") {
    out.push(invalid(child(path, "apiVersion"), ref.apiVersion, "must be <group>/<version> or <version>"))
  }
  for (const name of ["kind", "name", "uid"] as const) {
    if (!ref[name]) out.push(required(child(path, name), "must not be empty"))
  }
  if (ref.apiVersion === "v1" && ref.kind === "Event") {
    out.push(invalid(path, ref, "/v1, Kind=Event is disallowed from being an owner"))
  }
  return out
}

/** A finalizer's name. */
export function validateFinalizerName(name: string, path: string): FieldError[] {
  return isQualifiedName(name).map((reason) => invalid(path, name, reason))
}

export function validateFinalizers(finalizers: readonly string[], path: string): FieldError[] {
  const out = finalizers.flatMap((name) => validateFinalizerName(name, path))
  if (finalizers.includes("orphan") && finalizers.includes("foregroundDeletion")) {
    out.push(invalid(path, finalizers, "finalizer orphan and foregroundDeletion cannot be both set"))
  }
  return out
}

const standardFinalizers: readonly string[] = ["kubernetes", "orphan", "foregroundDeletion"]

/** Finalizers of the kinds of Kubernetes' own are its own or say whose they are: `example.com/cleanup`. */
export function validateKnownFinalizers(finalizers: readonly string[], path: string): FieldError[] {
  const detail = "name is neither a standard finalizer name nor is it fully qualified"
  return finalizers.flatMap((name, at) =>
    name.includes("/") || standardFinalizers.includes(name) ? [] : [invalid(index(path, at), name, detail)],
  )
}

/** While an object is being deleted, finalizers can only go. */
export function validateNoNewFinalizers(
  finalizers: readonly string[],
  old: readonly string[],
  path: string,
): FieldError[] {
  const extra = [...new Set(finalizers).difference(new Set(old))].sort()
  if (extra.length === 0) return []
  return [
    forbidden(
      path,
      "no new finalizers can be added if the object is being deleted, " +
        `found new finalizers []string{${extra.map(goQuote).join(", ")}}`,
    ),
  ]
}

/** The name of a field manager: at most 128 bytes, all of them printable. */
export function validateFieldManager(manager: string, path: string): FieldError[] {
  const out: FieldError[] = []
  if (byteLength(manager) > maxManagerLength) out.push(tooLong(path, "", maxManagerLength))
  let at = 0
  for (const rune of manager) {
    if (!/[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(rune)) {
      const code = rune.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")
      out.push(invalid(path, manager, `invalid character U+${code} (at position ${at})`))
    }
    at += byteLength(rune)
  }
  return out
}

export function validateManagedFields(entries: readonly ManagedFieldsEntry[], path: string): FieldError[] {
  const out: FieldError[] = []
  entries.forEach((entry, at) => {
    const here = index(path, at)
    if (!entry.operation) out.push(required(child(here, "operation"), "must not be empty"))
    else if (entry.operation !== "Apply" && entry.operation !== "Update") {
      out.push(notSupported(child(here, "operation"), entry.operation, ["Apply", "Update"]))
    }
    if (entry.fieldsType && entry.fieldsType !== "FieldsV1") {
      out.push(invalid(child(here, "fieldsType"), entry.fieldsType, "must be `FieldsV1`"))
    }
    out.push(...validateFieldManager(entry.manager ?? "", child(here, "manager")))
    if (byteLength(entry.subresource ?? "") > maxSubresourceLength) {
      out.push(tooLong(child(here, "subresource"), "", maxSubresourceLength))
    }
  })
  return out
}

/** Checks a selector of labels as a field of an object. */
export function validateLabelSelector(
  selector: Readonly<LabelSelector> | undefined,
  path: string,
  options: { allowInvalidLabelValueInSelector?: boolean } = {},
): FieldError[] {
  if (!selector) return []
  const out = validateLabels(selector.matchLabels ?? {}, child(path, "matchLabels"))
  selector.matchExpressions?.forEach((expression, at) =>
    out.push(...validateSelectorRequirement(expression, index(child(path, "matchExpressions"), at), options)),
  )
  return out
}

/** Checks one requirement of a selector of labels. */
export function validateSelectorRequirement(
  expression: {
    readonly key?: string | undefined
    readonly operator?: string | undefined
    readonly values?: readonly string[] | undefined
  },
  path: string,
  options: { allowInvalidLabelValueInSelector?: boolean; allowUnknownOperator?: boolean } = {},
): FieldError[] {
  const out: FieldError[] = []
  const values = expression.values ?? []
  switch (expression.operator) {
    case "In":
    case "NotIn":
      if (values.length === 0) {
        out.push(required(child(path, "values"), "must be specified when `operator` is 'In' or 'NotIn'"))
      }
      break
    case "Exists":
    case "DoesNotExist":
      if (values.length > 0) {
        out.push(
          forbidden(
            child(path, "values"),
            "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
          ),
        )
      }
      break
    default:
      if (!options.allowUnknownOperator)
        out.push(invalid(child(path, "operator"), expression.operator, "not a valid selector operator"))
  }
  out.push(...validateLabelName(expression.key ?? "", child(path, "key")))
  if (options.allowInvalidLabelValueInSelector) return out
  values.forEach((value, i) => {
    for (const reason of isValidLabelValue(value))
      out.push(invalid(index(child(path, "values"), i), value, reason))
  })
  return out
}
