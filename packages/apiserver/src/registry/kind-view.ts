/** How objects look in one version of a kind, when they are stored in another: conversion at the edge, once per state. */
import { deepClone, deepFreeze, type Kind, type KubeObject, nullEmpties } from "@knarr/apimachinery"
import type { CachedObject } from "./cached-object.ts"
import { encodeStored, insertRevision } from "./object-codec.ts"

interface Converted {
  value: KubeObject
  bytes: Buffer | undefined
}

export class KindView {
  readonly kind: Kind
  /** The kind in whose shape objects are stored; `kind` itself for most. */
  readonly stored: Kind
  readonly #converted = new WeakMap<CachedObject, Converted>()

  constructor(kind: Kind) {
    this.kind = kind
    this.stored = kind.storedAs?.() ?? kind
  }

  /** Objects are served as they are stored. */
  get direct(): boolean {
    return this.kind === this.stored
  }

  /** The object in this version, frozen and shared. */
  value(object: CachedObject): Readonly<KubeObject> {
    return this.direct ? object.value : this.#convert(object).value
  }

  /** What a GET of this version answers. */
  bytes(object: CachedObject): Buffer {
    if (this.direct) return object.bytes
    const converted = this.#convert(object)
    if (!converted.bytes) {
      const stored = encodeStored(converted.value)
      const bytes = insertRevision(stored, object.revision, converted.value.metadata.resourceVersion)
      // It stays as long as the object does.
      converted.bytes = Buffer.from(new Uint8Array(bytes).buffer)
    }
    return converted.bytes
  }

  /** An object of this version as it is stored. May return or reuse `obj`. */
  toStored(obj: KubeObject): KubeObject {
    const { kind, stored } = this
    if (this.direct) return nullEmpties(stored.schema, obj)
    const out = kind.toStored ? kind.toStored(obj) : { ...obj }
    out.kind = stored.kind
    out.apiVersion = stored.apiVersion
    return nullEmpties(stored.schema, out)
  }

  /** The text of a field for selectors. */
  readField(object: CachedObject, field: string): string {
    if (field === "metadata.name") return object.name
    if (field === "metadata.namespace") return object.namespace
    if (this.direct) return object.fields[object.shape.fieldNames.indexOf(field)] ?? ""
    return this.kind.selectableFields[field]?.(this.value(object)) ?? ""
  }

  #convert(object: CachedObject): Converted {
    let converted = this.#converted.get(object)
    if (!converted) {
      const { kind } = this
      const source = deepClone(object.value) as KubeObject
      const value = kind.fromStored ? kind.fromStored(source) : source
      value.kind = kind.kind
      value.apiVersion = kind.apiVersion
      converted = { value: deepFreeze(nullEmpties(kind.schema, value)), bytes: undefined }
      this.#converted.set(object, converted)
    }
    return converted
  }
}
