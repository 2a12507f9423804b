/**
 * Lists that are sets, or maps by key fields: their order means nothing, and adding merges.
 * Mirrors: apiserver pkg/cel/common/valuesunstructured.go, valuesreflect.go (addToSetList, addToMapList)
 */
import {
  ArrayList,
  CelError,
  CelList,
  CelMap,
  Double,
  Duration,
  Timestamp,
  Uint,
  equal,
  maybeNoSuchOverload,
  type Value,
} from "../run/values.ts"

/** Equal for equal scalars alone. */
function scalarKey(value: Value): string | CelError {
  if (value instanceof CelList || value instanceof CelMap)
    return new CelError("listSet operations are only supported on lists of scalar values")
  if (value instanceof CelError) return value
  if (value instanceof Double || value instanceof Uint) return `${value.constructor.name}:${value.value}`
  if (value instanceof Timestamp) return `time:${value.seconds}.${value.nanos}`
  if (value instanceof Duration) return `duration:${value.nanos}`
  return value instanceof Uint8Array
    ? `bytes:${Buffer.from(value).toString("hex")}`
    : `${typeof value}:${String(value)}`
}

const items = (list: CelList): Value[] => Array.from({ length: list.size }, (_, i) => list.get(i))

abstract class WrappedList extends CelList {
  protected readonly inner: CelList
  constructor(inner: CelList) {
    super()
    this.inner = inner
  }
  get size(): number {
    return this.inner.size
  }
  get(index: number): Value {
    return this.inner.get(index)
  }
  override contains(value: Value): Value {
    return this.inner.contains(value)
  }
}

/** `x-kubernetes-list-type: set` */
export class SetList extends WrappedList {
  #keys(list: CelList): Set<string> | CelError {
    const keys = new Set<string>()
    for (const item of items(list)) {
      const key = scalarKey(item)
      if (typeof key !== "string") return key
      keys.add(key)
    }
    return keys
  }
  override equalTo(other: Value): Value {
    if (!(other instanceof CelList)) return maybeNoSuchOverload(other)
    if (this.size !== other.size) return false
    const mine = this.#keys(this)
    if (mine instanceof CelError) return mine
    const theirs = this.#keys(other)
    if (theirs instanceof CelError) return theirs
    return mine.size === theirs.size && mine.isSubsetOf(theirs)
  }
  override add(other: Value): Value {
    if (!(other instanceof CelList)) return maybeNoSuchOverload(other)
    const known = this.#keys(this)
    if (known instanceof CelError) return known
    const all = items(this)
    for (const item of items(other)) {
      const key = scalarKey(item)
      if (typeof key !== "string") return key
      if (!known.has(key)) all.push(item)
      known.add(key)
    }
    return new SetList(new ArrayList(all))
  }
}

/** `x-kubernetes-list-type: map` */
export class KeyedList extends WrappedList {
  readonly #names: readonly string[]
  constructor(inner: CelList, names: readonly string[]) {
    super(inner)
    this.#names = names
  }
  #key(item: Value): string {
    return JSON.stringify(
      this.#names.map((name) => {
        const value = item instanceof CelMap ? item.find(name) : undefined
        return value === undefined ||
          value instanceof CelError ||
          value instanceof CelList ||
          value instanceof CelMap
          ? null
          : scalarKey(value)
      }),
    )
  }
  override equalTo(other: Value): Value {
    if (!(other instanceof CelList)) return maybeNoSuchOverload(other)
    if (this.size !== other.size) return false
    const mine = new Map(items(this).map((item) => [this.#key(item), item]))
    const seen = new Set<string>()
    for (const item of items(other)) {
      const key = this.#key(item)
      const own = mine.get(key)
      if (own === undefined) return false
      const same = equal(own, item)
      if (same !== true) return same
      seen.add(key)
    }
    return seen.size === mine.size
  }
  override add(other: Value): Value {
    if (!(other instanceof CelList)) return maybeNoSuchOverload(other)
    const all = items(this)
    const places = new Map(all.map((item, i) => [this.#key(item), i]))
    for (const item of items(other)) {
      const place = places.get(this.#key(item))
      if (place === undefined) all.push(item)
      else all[place] = item
    }
    return new KeyedList(new ArrayList(all), this.#names)
  }
}
