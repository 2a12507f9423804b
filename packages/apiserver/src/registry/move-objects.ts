/**
 * Moves a cluster's objects from one store into another, in the format in which that one has them. Revisions begin anew:
 * clients list again. What servers keep for themselves (leases of their addresses) stays behind.
 */
import {
  decodeProtobuf,
  encodeProtobufDocument,
  isProtobufDocument,
  type Kind,
  openProtobufEnvelope,
  schemaOfType,
} from "@knarr/apimachinery"
import type { Clock } from "@knarr/base"
import type { Store } from "@knarr/store"
import { kindConverter } from "./converter.ts"
import { DecodedValues } from "./decoded-values.ts"
import { unstamped } from "./object-codec.ts"
import { type StorageFormat, StoredForm } from "./stored-form.ts"
import { TtlLeases } from "./ttl-leases.ts"

export interface StoredItem {
  readonly key: string
  readonly value: Buffer
  /** 0: it stays until it is deleted. */
  readonly lease: number
}

export interface MoveOptions {
  readonly from: AsyncIterable<StoredItem>
  readonly to: Store
  readonly format: StorageFormat
  readonly kinds: readonly Kind[]
  readonly clock: Clock
}

const root = "/registry/"
/** Writes on their way at a time. */
const atOnce = 64

/** What a store has now, in the order of keys. */
export async function* itemsOf(store: Store): AsyncGenerator<StoredItem> {
  const revision = await store.currentRevision()
  for (let from = root; ;) {
    const page = await store.range({ prefix: root, from, limit: 500, revision })
    yield* page.kvs
    const last = page.kvs.at(-1)
    if (!last || page.kvs.length === page.count) return
    from = `${last.key}\0`
  }
}

/**
 * Answers how many objects were moved, and the keys of what was left. Rejects when `to` has objects already, or when one
 * cannot be read (it is encrypted): then `to` may have a part of them.
 */
export async function moveObjects(
  options: MoveOptions,
): Promise<{ readonly moved: number; readonly left: readonly string[] }> {
  const { from, to, format, kinds, clock } = options
  const [there] = (await to.range({ prefix: root, limit: 1 })).kvs
  if (there) throw new Error(`Cannot move objects into a store that has some: ${there.key} is there`)
  const forms = formsOf(kinds, format)
  const leases = new TtlLeases(to, clock)
  const left: string[] = []
  let moved = 0
  let batch: Promise<unknown>[] = []
  for await (const item of from) {
    const form = formOf(forms, item.key)
    const { ttlSeconds } = form?.kind ?? {}
    if (!item.key.startsWith(root) || (item.lease !== 0 && ttlSeconds === undefined)) {
      left.push(item.key)
      continue
    }
    const value = rewritten(item, form, format)
    const lease = item.lease !== 0 && ttlSeconds !== undefined ? await leases.lease(ttlSeconds) : 0
    batch.push(to.put(item.key, value, { expected: 0, lease }))
    moved++
    if (batch.length < atOnce) continue
    await Promise.all(batch)
    batch = []
  }
  await Promise.all(batch)
  return { moved, left }
}

function formsOf(kinds: readonly Kind[], format: StorageFormat): Map<string, StoredForm> {
  const versions = new Map<string, { stored: Kind; all: Set<Kind> }>()
  for (const kind of kinds) {
    const stored = kind.storedAs?.() ?? kind
    const known = versions.get(stored.storagePrefix)
    if (known) known.all.add(kind)
    else versions.set(stored.storagePrefix, { stored, all: new Set([stored, kind]) })
  }
  const decoded = new DecodedValues(1)
  return new Map(
    [...versions].map(([prefix, { stored, all }]) => {
      const converter = kindConverter(stored, () => all)
      return [prefix, new StoredForm({ kind: stored, versions: () => all, converter, decoded, format })]
    }),
  )
}

/** The form of the kind that has the key; undefined for custom resources and what is no object. */
function formOf(forms: ReadonlyMap<string, StoredForm>, key: string): StoredForm | undefined {
  for (let end = key.indexOf("/", root.length); end >= 0; end = key.indexOf("/", end + 1)) {
    const form = forms.get(key.slice(root.length, end))
    if (form) return form
  }
  return undefined
}

function rewritten({ key, value }: StoredItem, form: StoredForm | undefined, format: StorageFormat): Buffer {
  if (value.subarray(0, 8).toString("latin1") === "k8s:enc:")
    throw new Error(`Cannot move "${key}": it is encrypted`)
  if (form) return form.encode(form.read(value).value)
  // Custom resources are JSON everywhere; the RangeAllocation of node ports is what the format has.
  if (isProtobufDocument(value)) {
    if (format === "shared") return value
    const { raw, ...type } = openProtobufEnvelope(value)
    const schema = schemaOfType(type)
    if (!schema) throw new Error(`Cannot move "${key}": there is no ${type.apiVersion} ${type.kind}`)
    return Buffer.from(JSON.stringify({ ...type, ...decodeProtobuf(schema, raw) }))
  }
  const json = unstamped(value)
  if (format === "stamped" || !key.startsWith(`${root}ranges/`)) return json
  const object = JSON.parse(json.toString()) as { apiVersion: string; kind: string }
  return encodeProtobufDocument(schemaOfType(object)!, object, object)
}
