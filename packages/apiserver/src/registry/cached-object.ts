/**
 * One state of one object, as the watch cache keeps it: the served bytes and what selectors need. The decoded,
 * frozen value is made when somebody asks; a bounded number of values is held, the others only as long as
 * somebody else (an informer) holds them, so all readers share one value.
 */
import type { ObjectShape } from "./decoded-values.ts"
import { deepFreeze, type KubeObject } from "@knarr/apimachinery"
import { insertRevision, prefixLength, replaceRevision } from "./object-codec.ts"
import type { Resident, Slab } from "./slabs.ts"
import type { StoredForm } from "./stored-form.ts"

export type Labels = Readonly<Record<string, string>>

const noLabels: Labels = Object.freeze({})
const noFields: readonly string[] = Object.freeze([])

export class CachedObject implements Resident {
  readonly shape: ObjectShape
  /** `<namespace>/<name>`, or `<name>` for cluster-scoped kinds. */
  readonly key: string
  readonly namespace: string
  readonly name: string
  readonly revision: number
  /** What a GET answers, in the version of its shape. The buffer may move to a slab, the bytes never change. */
  bytes: Buffer
  slab: Slab | undefined
  readonly labels: Labels
  /** In the order of `shape.fieldNames`. */
  readonly fields: readonly string[]
  #value: KubeObject | WeakRef<KubeObject> | undefined
  #used = false
  /** Where its value is held. */
  #place = -1
  #past = false

  constructor(init: {
    shape: ObjectShape
    key: string
    namespace: string
    name: string
    revision: number
    bytes: Buffer
    labels: Labels
    fields: readonly string[]
    value?: KubeObject
  }) {
    this.shape = init.shape
    this.key = init.key
    this.namespace = init.namespace
    this.name = init.name
    this.revision = init.revision
    this.bytes = init.bytes
    this.labels = init.labels
    this.fields = init.fields
    if (init.value) {
      this.#value = init.value
      this.#place = this.shape.decoded.hold(this)
    }
  }

  /** The decoded object, frozen, with its resourceVersion. */
  get value(): Readonly<KubeObject> {
    this.#used = true
    const value = this.#value
    if (value !== undefined) {
      if (!(value instanceof WeakRef)) return value
      const alive = value.deref()
      if (alive) return alive
    }
    const made = deepFreeze(JSON.parse(this.bytes.toString()) as KubeObject)
    this.#value = this.#past ? new WeakRef(made) : made
    if (!this.#past) this.#place = this.shape.decoded.hold(this)
    return made
  }

  /** Lets go of the value unless it was used since the last call; returns whether it did. */
  loosen(): boolean {
    if (this.#used) {
      this.#used = false
      return false
    }
    if (this.#value && !(this.#value instanceof WeakRef)) this.#value = new WeakRef(this.#value)
    return true
  }

  /** It is no longer the present state: its value is held only by those who use it. */
  retire(): void {
    this.#past = true
    this.shape.decoded.drop(this, this.#place)
    if (this.#value && !(this.#value instanceof WeakRef)) this.#value = new WeakRef(this.#value)
  }

  /** It is stored in another form than the present one. */
  get stale(): boolean {
    return this.shape.stale
  }

  get uid(): string {
    return this.value.metadata.uid
  }

  /** The same content as of another revision: what a DELETED event shows. */
  at(revision: number): CachedObject {
    const { shape, key, namespace, name, labels, fields } = this
    const bytes = replaceRevision(this.bytes, prefixLength(this.bytes), revision)
    const past = new CachedObject({ shape, key, namespace, name, revision, bytes, labels, fields })
    // It never is the present state, so its value, and with it the chunk of its bytes, is held by its readers alone.
    past.retire()
    return past
  }
}

/**
 * The cached form of a stored value. `value`, when given, is `stored` decoded, and both are in the present form: it becomes
 * frozen and shared. Throws when `stored` cannot be read.
 */
export function cachedObject(
  form: StoredForm,
  key: string,
  stored: Buffer,
  revision: number,
  value?: KubeObject,
): CachedObject {
  const read = value ? { shape: form.shape, json: form.json(stored), value } : form.read(stored)
  const { shape, json, value: decoded } = read
  const bytes = insertRevision(json, revision, value?.metadata.resourceVersion)
  if (value) {
    if (revision !== 0) value.metadata.resourceVersion = String(revision)
    deepFreeze(value)
  }
  const { metadata } = decoded
  return new CachedObject({
    shape,
    key,
    namespace: metadata.namespace ?? "",
    name: metadata.name,
    revision,
    bytes,
    labels: metadata.labels ? internLabels(metadata.labels) : noLabels,
    fields: readFields(shape, decoded),
    ...(value ? { value } : {}),
  })
}

function readFields(shape: ObjectShape, value: Readonly<KubeObject>): readonly string[] {
  const { fieldNames, kind } = shape
  if (fieldNames.length === 0) return noFields
  return fieldNames.map((name) => kind.selectableFields[name]?.(value) ?? "")
}

/** Objects of one owner mostly have the same labels: they share one map. Emptied when it has grown large. */
const interned = new Map<string, Labels>()

function internLabels(labels: Labels): Labels {
  const text = JSON.stringify(labels)
  const known = interned.get(text)
  if (known) return known
  const own = Object.freeze(JSON.parse(text) as Labels)
  // What is so long is unlike any other.
  if (text.length > 4096) return own
  if (interned.size >= 20_000) interned.clear()
  interned.set(text, own)
  return own
}
