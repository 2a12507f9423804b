/**
 * The form in which a resource's objects are stored, and how those that were stored in another one are read: by an earlier
 * release, whose shape and defaults were others, or in another version. Each stored object ends with a stamp of the form
 * in which it was written: what has the present one is served as it is. Anything else is decoded by the shape of its own
 * version (so pruned), defaulted, converted and defaulted again, and is written anew at its next write.
 *
 * Where kube-apiservers use the same store, objects are written as they write them: in protobuf, custom resources and a few
 * others in JSON, without a stamp; then every object is decoded and defaulted when it is read.
 * Mirrors: apiserver pkg/storage/etcd3/store.go (decode, stale), apiextensions-apiserver pkg/apiserver/schema_defaulting
 */
import {
  decodeObject,
  decodeProtobuf,
  encodeProtobufDocument,
  isProtobufDocument,
  type Kind,
  type KubeObject,
  settleEmpties,
  openProtobufEnvelope,
  parseTime,
  schemaFingerprint,
} from "@knarr/apimachinery"
import type { DecodedValues, ObjectShape } from "./decoded-values.ts"
import { checkConverted, type Converter } from "./converter.ts"
import { setObjectDefaults } from "./defaults.ts"
import { encodeStored, unstamped } from "./object-codec.ts"

export interface ReadObject {
  readonly shape: ObjectShape
  /** JSON as {@link encodeStored} makes it, without a stamp; shares memory with what was read. */
  readonly json: Buffer
  readonly value: KubeObject
}

/** `stamped`: JSON and a stamp. `shared`: what kube-apiserver reads and writes. */
export type StorageFormat = "stamped" | "shared"

/** Groups whose objects kube-apiserver stores in JSON. */
const jsonGroups: ReadonlySet<string> = new Set(["apiextensions.k8s.io", "apiregistration.k8s.io"])

export interface StoredFormOptions {
  /** The version in which objects are stored. */
  readonly kind: Kind
  /** All versions in which there may be objects in the store, `kind` too. */
  versions(): Iterable<Kind>
  readonly converter: Converter
  /** Where the values of its objects are held. */
  readonly decoded: DecodedValues
  /** Default: `stamped`. */
  readonly format?: StorageFormat | undefined
}

const never = new AbortController().signal

export class StoredForm {
  readonly kind: Kind
  /** The shape of what is in the present form. */
  readonly shape: ObjectShape
  readonly #options: StoredFormOptions
  readonly #staleShapes = new Map<Kind, ObjectShape>()
  readonly #shared: boolean
  readonly #protobuf: boolean
  #stamp: Buffer | undefined

  constructor(options: StoredFormOptions) {
    this.kind = options.kind
    const { kind, decoded, format } = options
    this.#shared = format === "shared"
    this.#protobuf = this.#shared && kind.rules === "native" && !jsonGroups.has(kind.group)
    this.shape = { kind, stale: false, fieldNames: orderedFieldNames(kind), decoded }
    this.#options = options
  }

  /** What an object that was written in this form ends with. Made on first use: most resources have no objects. */
  get stamp(): Buffer {
    if (this.#stamp) return this.#stamp
    const { kind, apiVersion, schema, form = 0 } = this.kind
    return (this.#stamp = Buffer.from(
      `\n${schemaFingerprint(schema, `${apiVersion} ${kind} ${form}`).slice(0, 8)}`,
    ))
  }

  /** Whether what is read of an object that {@link encode} took is that object, without defaults or anything else. */
  get keepsValues(): boolean {
    return !this.#shared
  }

  /** The bytes to store, of an object in the stored version. */
  encode(object: Readonly<KubeObject>): Buffer {
    if (!this.#shared) return encodeStored(object, this.stamp)
    if (!this.#protobuf) return encodeStored(object)
    const { resourceVersion: _, ...metadata } = object.metadata
    return encodeProtobufDocument(this.kind.schema, this.kind, { ...object, metadata })
  }

  /** The JSON of what {@link encode} made; `bytes` themselves when they are JSON without a stamp. */
  json(bytes: Buffer): Buffer {
    if (isProtobufDocument(bytes)) return this.#readOther(bytes).json
    const end = bytes.length - this.stamp.length
    return end > 0 && this.stamp.compare(bytes, end) === 0 ? bytes.subarray(0, end) : bytes
  }

  /** Reads what the store has. Throws when that is no object of this resource. */
  read(bytes: Buffer): ReadObject {
    if (this.#shared || isProtobufDocument(bytes)) return this.#readOther(bytes)
    const json = this.json(bytes)
    if (json !== bytes) return { shape: this.shape, json, value: JSON.parse(json.toString()) as KubeObject }
    return this.#readOther(bytes)
  }

  #readOther(bytes: Buffer): ReadObject {
    const isProtobuf = isProtobufDocument(bytes)
    const raw = isProtobuf
      ? this.#openProtobuf(bytes)
      : (JSON.parse(unstamped(bytes).toString()) as KubeObject)
    const version = this.#versionOf(raw)
    const nowMs = createdAt(raw)
    let value = decodeObject<KubeObject>(version.schema, raw).object
    if (!value.metadata.name) throw new Error("Cannot read a stored object: it has no name")
    setObjectDefaults(version, value, nowMs)
    let kind = version
    const { converter } = this.#options
    if (version !== this.kind && !converter.waits) {
      kind = this.kind
      const converted = converter.convert([value], kind, never) as readonly KubeObject[]
      value = checkConverted([value], converted, kind)[0]!
      setObjectDefaults(kind, value, nowMs)
    }
    value = settleEmpties(kind.schema, value)
    const isPresent = this.#shared && version === this.kind && isProtobuf === this.#protobuf
    return { shape: isPresent ? this.shape : this.#staleShape(kind), json: encodeStored(value), value }
  }

  #openProtobuf(bytes: Buffer): KubeObject {
    const { raw, ...type } = openProtobufEnvelope(bytes)
    const { schema } = this.#versionOf(type)
    return { ...type, ...decodeProtobuf(schema, raw) } as unknown as KubeObject
  }

  #versionOf({ kind, apiVersion }: Pick<KubeObject, "kind" | "apiVersion">): Kind {
    for (const one of this.#options.versions())
      if (one.kind === kind && one.apiVersion === apiVersion) return one
    throw new Error(
      `Cannot read a stored object: "${apiVersion}" "${kind}" is no version of ${this.kind.plural}`,
    )
  }

  #staleShape(kind: Kind): ObjectShape {
    let shape = this.#staleShapes.get(kind)
    if (!shape) this.#staleShapes.set(kind, (shape = { ...this.shape, kind, stale: true }))
    return shape
  }
}

function createdAt({ metadata }: KubeObject): number {
  const { creationTimestamp } = metadata ?? {}
  return creationTimestamp ? parseTime(creationTimestamp) : 0
}

/** Beside name and namespace. The indexed ones come first, because the index looks values up by position. */
function orderedFieldNames({ selectableFields, indexedFields = [] }: Kind): readonly string[] {
  const names = Object.keys(selectableFields).filter(
    (name) => name !== "metadata.name" && name !== "metadata.namespace" && !indexedFields.includes(name),
  )
  return [...indexedFields, ...names]
}
