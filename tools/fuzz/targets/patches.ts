/** Patches: a patch that was made turns one object into the other; made-up patches give a value or a refusal, and change no argument. */
import { kinds } from "@knarr/api"
import {
  applyJSONPatch,
  applyMergePatch,
  applyStrategicMergePatch,
  createMergePatch,
  createThreeWayJSONMergePatch,
  createThreeWayMergePatch,
  createTwoWayMergePatch,
  decodeObject,
  deepEqual,
  isObject,
  validateTyped,
  type JsonObject,
  type Kind,
} from "@knarr/apimachinery"
import { randomObject, samples } from "../objects.ts"
import { answerOf, defineTarget, expect } from "../target.ts"
import type { Draw } from "../draw.ts"

interface Input {
  readonly kind: string
  readonly one: unknown
  readonly other: unknown
  readonly third: unknown
  readonly patch: unknown
}

function pointers(value: unknown, path = ""): string[] {
  if (typeof value !== "object" || value === null) return [path]
  return [
    path,
    ...Object.entries(value).flatMap(([key, item]) =>
      pointers(item, `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`),
    ),
  ]
}

function jsonPatch(draw: Draw, doc: unknown): unknown {
  const all = pointers(doc)
  const path = (): string => {
    const one = draw.pick(all)
    return draw.chance(0.3)
      ? draw.pick([`${one}/-`, `${one}/0`, `${one}/x`, draw.mutate(one), `${one}/00`])
      : one
  }
  return draw.list(8, () => ({
    op: draw.chance(0.05) ? draw.text(2) : draw.pick(["add", "remove", "replace", "move", "copy", "test"]),
    path: path(),
    ...(draw.chance(0.5) ? { from: path() } : {}),
    ...(draw.chance(0.8) ? { value: draw.json(2) } : {}),
  }))
}

/** With directives of strategic merge patches somewhere. */
function directed(draw: Draw, value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => directed(draw, item))
    return draw.chance(0.1) ? [...items, { $patch: draw.pick(["replace", "delete", "merge", "x"]) }] : items
  }
  if (!isObject(value)) return value
  const out = Object.entries(value).map(([key, item]) => [key, directed(draw, item)] as [string, unknown])
  const key = Object.keys(value)[0] ?? "x"
  if (draw.chance(0.05)) out.push(["$patch", draw.pick(["replace", "delete", "merge", 1, null])])
  if (draw.chance(0.05)) out.push(["$retainKeys", draw.pick([[key], [], [1], "x", null])])
  if (draw.chance(0.05))
    out.push([`$deleteFromPrimitiveList/${draw.pick([key, "finalizers"])}`, draw.json(1)])
  if (draw.chance(0.05)) out.push([`$setElementOrder/${draw.pick([key, "containers"])}`, draw.json(2)])
  return Object.fromEntries(out)
}

export const patches = defineTarget<Input>({
  name: "patches",
  quick: 300,
  open: () => ({
    generate(draw) {
      const sample = draw.pick(samples)
      const { kind } = sample
      const base = draw.chance(0.5) ? sample.object : randomObject(kind, draw)
      const variant = (): unknown => (draw.chance(0.8) ? draw.mutateJson(base) : randomObject(kind, draw))
      const [one, other, third] = [base, variant(), variant()]
      const patch = draw.pick([
        () => jsonPatch(draw, one),
        () => directed(draw, variant()),
        () => draw.json(),
      ])()
      return { kind: `${kind.apiVersion} ${kind.kind}`, one, other, third, patch }
    },
    check({ kind: id, one, other, third, patch }) {
      const kind = kinds.find(({ apiVersion, kind }) => `${apiVersion} ${kind}` === id)
      if (!kind) return
      const before = JSON.stringify([one, other, third, patch])
      const unchanged = (what: string): void =>
        expect(JSON.stringify([one, other, third, patch]) === before, `${what} changes its arguments`)
      answerOf(() => applyJSONPatch(one, patch))
      unchanged("a JSON patch")
      const merged = answerOf(() => applyMergePatch(one, patch))
      // A list's nulls are kept where an object was, and left out where a list was: as upstream has it.
      if (merged && !hasNullInList(patch))
        expect(deepEqual(applyMergePatch(merged, patch), merged), "a merge patch changes something twice")
      unchanged("a merge patch")
      if (!isObject(one) || !isObject(other) || !isObject(third)) return
      const strategic = (doc: JsonObject, change: unknown): JsonObject | undefined =>
        answerOf(() => applyStrategicMergePatch(kind.schema, doc, change as JsonObject) as JsonObject)
      if (isObject(patch)) strategic(one, patch)
      unchanged("a strategic merge patch")
      if (!JSON.stringify([one, other]).includes("null")) {
        const made = createMergePatch(one, other)
        expect(
          deepEqual(applyMergePatch(one, made), other),
          "a merge patch that was made leads elsewhere",
          made,
        )
      }
      answerOf(() => createThreeWayJSONMergePatch(one, other, third))
      answerOf(() => createThreeWayMergePatch(one, other, third, kind.schema, true))
      answerOf(() => createThreeWayMergePatch(one, other, third, kind.schema, false))
      unchanged("making a patch")
      // Of whole objects, as the server and kubectl make them, without double keys in lists.
      const [from, to] = [wellFormed(kind, one), wellFormed(kind, other)]
      const diff = from && to && answerOf(() => createTwoWayMergePatch(from, to, kind.schema))
      const result = diff && strategic(from, diff)
      if (result)
        expect(deepEqual(result, to), "a strategic patch that was made leads elsewhere", diff, result)
    },
  }),
})

/** The value as the server would print it; undefined for what does not fit the kind or has no well-formed lists. */
function wellFormed(kind: Kind, value: JsonObject): JsonObject | undefined {
  return answerOf(() => {
    const object = JSON.parse(JSON.stringify(decodeObject(kind.schema, value).object)) as JsonObject
    return validateTyped(kind.schema, object).length === 0 && !JSON.stringify(object).includes("null")
      ? object
      : undefined
  })
}

function hasNullInList(value: unknown, inList = false): boolean {
  if (value === null) return inList
  if (typeof value !== "object") return false
  return Object.values(value).some((item) => hasNullInList(item, inList || Array.isArray(value)))
}
