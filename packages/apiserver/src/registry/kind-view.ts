/**
 * How the objects of a resource look in one of its versions: conversion at the edge, once per state of an object, kept as
 * long as that state is. Where the converter waits, whoever wants to see objects asks {@link KindView.ready} for all of
 * them first; everywhere else that is nothing, and values and bytes can be had at once.
 */
import { deepClone, deepFreeze, type Kind, type KubeObject, settleEmpties } from "@knarr/apimachinery"
import type { CachedObject } from "./cached-object.ts"
import { checkConverted, conversionBatch } from "./converter.ts"
import { encodeStored, insertRevision } from "./object-codec.ts"
import type { Resource } from "./resource.ts"

interface Converted {
  readonly value: Readonly<KubeObject>
  bytes: Buffer | undefined
}

export class KindView {
  readonly kind: Kind
  readonly resource: Resource
  readonly #converted = new WeakMap<CachedObject, Converted>()
  /** The conversions that are on their way, which all who want the same objects wait for. */
  readonly #converting = new Map<CachedObject, Promise<void>>()

  constructor(kind: Kind, resource: Resource) {
    this.kind = kind
    this.resource = resource
  }

  /** The kind in whose shape objects are stored; `kind` itself for most. */
  get stored(): Kind {
    return this.resource.stored
  }

  /** Whether objects may have to be made {@link ready}. */
  get waits(): boolean {
    return this.resource.converter.waits
  }

  /**
   * Resolves when {@link value}, {@link bytes} and {@link readField} can be asked for `objects`; undefined when they can be
   * at once. Rejects with what the converter failed with. Who waits no longer leaves the conversion to the others.
   */
  ready(objects: readonly CachedObject[]): Promise<void> | undefined {
    if (!this.waits) return undefined
    const missing = objects.filter((object) => !this.#isDirect(object) && !this.#converted.has(object))
    return missing.length === 0 ? undefined : this.#prepare(missing)
  }

  /** The object in this version, frozen and shared. Throws when it had to be made {@link ready} and was not. */
  value(object: CachedObject): Readonly<KubeObject> {
    return this.#isDirect(object) ? object.value : this.#convert(object).value
  }

  /** What a GET of this version answers; as {@link value}. */
  bytes(object: CachedObject): Buffer {
    if (this.#isDirect(object)) return object.bytes
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
  toStored(obj: KubeObject): KubeObject | Promise<KubeObject> {
    const { kind, stored } = this
    if (kind === stored) return settleEmpties(stored.schema, obj)
    const { converter, signal } = this.resource
    const converted = converter.convert([obj], stored, signal)
    if (!(converted instanceof Promise)) return settleEmpties(stored.schema, converted[0]!)
    return converted.then((list) => settleEmpties(stored.schema, checkConverted([obj], list, stored)[0]!))
  }

  /** The text of a field for selectors; as {@link value}. */
  readField(object: CachedObject, field: string): string {
    if (field === "metadata.name") return object.name
    if (field === "metadata.namespace") return object.namespace
    if (this.#isDirect(object)) return object.fields[object.shape.fieldNames.indexOf(field)] ?? ""
    return this.kind.selectableFields[field]?.(this.value(object)) ?? ""
  }

  /** It is cached in this very version. */
  #isDirect(object: CachedObject): boolean {
    return object.shape.kind === this.kind
  }

  #convert(object: CachedObject): Converted {
    const known = this.#converted.get(object)
    if (known) return known
    const { converter, signal } = this.resource
    if (converter.waits)
      throw new Error(`Cannot show "${object.key}" as ${this.kind.apiVersion}: it has not been converted`)
    const values = converter.convert([copyOf(object)], this.kind, signal)
    return this.#keep(object, (values as readonly KubeObject[])[0]!)
  }

  #keep(object: CachedObject, value: KubeObject): Converted {
    const converted = { value: deepFreeze(settleEmpties(this.kind.schema, value)), bytes: undefined }
    this.#converted.set(object, converted)
    return converted
  }

  async #prepare(objects: readonly CachedObject[]): Promise<void> {
    const waits = new Set<Promise<void>>()
    const own: CachedObject[] = []
    for (const object of objects) {
      const other = this.#converting.get(object)
      if (other) waits.add(other)
      else own.push(object)
    }
    for (let at = 0; at < own.length; at += conversionBatch) {
      const batch = own.slice(at, at + conversionBatch)
      const conversion = this.#convertBatch(batch)
      waits.add(conversion)
      for (const object of batch) this.#converting.set(object, conversion)
      const over = (): void => batch.forEach((object) => this.#converting.delete(object))
      conversion.then(over, over)
    }
    await Promise.all(waits)
  }

  async #convertBatch(objects: readonly CachedObject[]): Promise<void> {
    const { converter, signal } = this.resource
    const converted = await converter.convert(objects.map(copyOf), this.kind, signal)
    const values = checkConverted(
      objects.map(({ value }) => value),
      converted,
      this.kind,
    )
    for (const [i, object] of objects.entries()) this.#keep(object, values[i]!)
  }
}

function copyOf(object: CachedObject): KubeObject {
  return deepClone(object.value) as KubeObject
}
