/** Kinds: what decodes is defaulted once and for all, and no rule, column or conversion throws or changes what it looks at. */
import { kinds as allKinds } from "@knarr/api"
import {
  applySchemaDefaults,
  decodeJson,
  decodeObject,
  deepEqual,
  fieldSetOf,
  FieldSet,
  nameIsDNSSubdomain,
  pruneUnknown,
  type ValidateName,
  validateObjectMeta,
  validateObjectMetaUpdate,
  validateTyped,
  type Kind,
  type KubeObject,
  type ObjectMeta,
} from "@knarr/apimachinery"
import { randomObject, samples } from "../objects.ts"
import { answerOf, defineTarget, expect } from "../target.ts"

function load(kind: Kind, value: unknown): KubeObject | undefined {
  return answerOf(() => {
    const { object } = decodeObject<KubeObject>(kind.schema, value)
    object.metadata ??= {} as ObjectMeta
    applySchemaDefaults(kind.schema, object)
    kind.setDefaults?.(object, 0)
    return object
  })
}

export const kinds = defineTarget<{ kind: string; raw: unknown; other: unknown }>({
  name: "kinds",
  quick: 400,
  open: () => ({
    generate(draw) {
      const { kind, object } = draw.pick(samples)
      const one = (): unknown => {
        const base = draw.chance(0.5) ? object : randomObject(kind, draw)
        return draw.chance(0.7) ? draw.mutateJson(base) : base
      }
      return { kind: `${kind.apiVersion} ${kind.kind}`, raw: one(), other: one() }
    },
    check({ kind: id, raw, other }) {
      const kind = allKinds.find(({ apiVersion, kind }) => `${apiVersion} ${kind}` === id)
      if (!kind) return
      const text = JSON.stringify(raw)
      const once = load(kind, raw)
      expect(JSON.stringify(raw) === text, "decoding changes the value")
      const strict = answerOf(() => decodeJson(kind.schema, text, { strict: true }))
      expect(!once || strict, "what decodes as a value does not decode as text")
      answerOf(() => pruneUnknown(kind.schema, raw))
      if (!once) return
      const printed = JSON.stringify(once)
      const twice = load(kind, JSON.parse(printed))
      expect(twice && deepEqual(twice, once), "defaults are not stable", printed, twice)
      const old = load(kind, other) ?? twice
      const checkName: ValidateName = kind.validateName
        ? (name, prefix) => kind.validateName!(name, prefix, once)
        : nameIsDNSSubdomain
      validateObjectMeta(once.metadata, kind.namespaced, checkName, "metadata")
      validateObjectMetaUpdate(once.metadata, old!.metadata, "metadata")
      kind.validate?.(once)
      kind.validate?.(once, old)
      kind.validateUpdate?.(once, old)
      kind.validateStatusUpdate?.(once, old, 0)
      kind.warnings?.(once, old)
      for (const column of kind.columns) column.read(once, 0)
      for (const [field, read] of Object.entries(kind.selectableFields))
        expect(typeof read(once) === "string", "a selectable field is no text", field)
      if (kind.scale) {
        kind.scale.getReplicas(once)
        kind.scale.statusReplicas(once)
        kind.scale.selector(once)
      }
      expect(JSON.stringify(once) === printed, "a rule changes what it looks at", id)
      if (validateTyped(kind.schema, once).length === 0) {
        const fields = fieldSetOf(kind.schema, once)
        const again = FieldSet.fromJSON(JSON.parse(JSON.stringify(fields)))
        expect(again.equals(fields), "a set of fields is another after it was stored")
      }
      if (!kind.toStored || !kind.fromStored) return
      const stored = kind.toStored(structuredClone(once))
      const back = kind.fromStored(structuredClone(stored))
      const again = kind.toStored(structuredClone(back))
      const form = (one: KubeObject): string => JSON.stringify({ ...one, apiVersion: "" })
      expect(form(again) === form(stored), "what is stored is another after it was read", stored, again)
    },
  }),
})
