/** Makes inputs long in one place: a piece of a text, or an item of a list, many times over. */
import type { Draw } from "./draw.ts"

/** An input with about `bytes` more in a place that is drawn once; undefined when it has none. */
export function growth(input: unknown, draw: Draw): ((bytes: number) => unknown) | undefined {
  const places = [...placesIn(input, [])]
  if (places.length === 0) return undefined
  const { path, value } = draw.pick(places)
  if (typeof value === "string") {
    const at = draw.int(value.length)
    const piece = value.slice(at, at + 1 + draw.count(8))
    return (bytes) =>
      replaced(
        input,
        path,
        value.slice(0, at) + piece.repeat(Math.ceil(bytes / piece.length)) + value.slice(at),
      )
  }
  const at = draw.int(value.length)
  const item = value[at]
  const size = JSON.stringify(item).length + 1
  return (bytes) =>
    replaced(input, path, value.toSpliced(at, 0, ...Array<unknown>(Math.ceil(bytes / size)).fill(item)))
}

interface Place {
  readonly path: readonly string[]
  readonly value: string | readonly unknown[]
}

function* placesIn(value: unknown, path: readonly string[]): Generator<Place> {
  if (typeof value === "string") {
    if (value.length > 0) yield { path, value }
  } else if (typeof value === "object" && value !== null) {
    if (Array.isArray(value) && value.length > 0) yield { path, value }
    for (const [key, item] of Object.entries(value)) yield* placesIn(item, [...path, key])
  }
}

function replaced(value: unknown, [key, ...rest]: readonly string[], item: unknown): unknown {
  if (key === undefined) return item
  if (Array.isArray(value))
    return value.with(Number(key), replaced(value[Number(key)], rest, item)) as unknown[]
  const fields = Object.entries(value as object)
  return Object.fromEntries(
    fields.map(([name, one]) => [name, name === key ? replaced(one, rest, item) : one]),
  )
}
