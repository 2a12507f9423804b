/**
 * A value and what it was before the update: a part that did not change may be as wrong as it was.
 * Mirrors: apiserver pkg/cel/common/equality.go (CorrelatedObject)
 */
import type { JSONSchemaProps } from "@knarr/api"
import { deepEqual } from "@knarr/apimachinery"

type Shape = JSONSchemaProps | undefined
type Loose = Record<string, unknown>

const isMap = (value: unknown): value is Loose =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export class Correlated {
  readonly shape: Shape
  readonly value: unknown
  readonly old: unknown
  #same: boolean | undefined
  /** Items of the old list by their keys. */
  #oldItems: Map<string, unknown> | undefined

  constructor(shape: Shape, value: unknown, old: unknown) {
    this.shape = shape
    this.value = value
    this.old = old
  }

  /** Whether the value is what it was. */
  same(): boolean {
    return (this.#same ??= deepEqual(this.value, this.old))
  }

  /** A property and what it was; undefined when that cannot be told. */
  property(name: string): Correlated | undefined {
    const { shape, value, old } = this
    if (!isMap(value) || !isMap(old) || !Object.hasOwn(old, name)) return undefined
    if (!shape || shape["x-kubernetes-map-type"] === "atomic") return undefined
    const more = shape.additionalProperties
    const inner = shape.properties?.[name] ?? (typeof more === "object" ? more : undefined)
    return inner && new Correlated(inner, value[name], old[name])
  }

  /** An item and what it was: only the items of lists with keys can be told from one another. */
  item(at: number): Correlated | undefined {
    const { shape, value, old } = this
    if (!Array.isArray(value) || !Array.isArray(old)) return undefined
    if (!shape || Array.isArray(shape.items) || !shape.items || shape["x-kubernetes-list-type"] !== "map")
      return undefined
    const names = shape["x-kubernetes-list-map-keys"] ?? []
    this.#oldItems ??= new Map(old.filter(isMap).map((one) => [keyOf(one, names), one]))
    const item: unknown = value[at]
    if (!isMap(item)) return undefined
    const before = this.#oldItems.get(keyOf(item, names))
    return before === undefined ? undefined : new Correlated(shape.items, item, before)
  }
}

/** The keys of an item of a list of type map, as text. */
function keyOf(item: Readonly<Loose>, names: readonly string[]): string {
  return JSON.stringify(names.map((name) => item[name]))
}
