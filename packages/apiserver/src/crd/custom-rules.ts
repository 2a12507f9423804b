/**
 * The rules of one version of a custom resource: how it is read, what it lacks, what is wrong with it.
 * Mirrors: apiextensions pkg/registry/customresource/{strategy,status_strategy,validator}.go
 */
import type { CustomResourceSubresourceScale, JSONSchemaProps } from "@knarr/api"
import { field, goQuote, isQualifiedName, type FieldError, type KubeObject } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import { blockedBy, celRulesOf, type CelRules } from "./cel-rules.ts"
import { defaultCustom, pruneNulls } from "./defaults.ts"
import { coerceEmbedded, hasEmbedded, validateEmbedded } from "./embedded.ts"
import { validateListTypes } from "./list-types.ts"
import { readTyped } from "./nested.ts"
import { pruneCustom } from "./prune.ts"
import type { RuleTimes } from "./rule-times.ts"
import { SchemaCheck } from "./schema-check.ts"

type Loose = Record<string, unknown>

const maxInt32 = 2 ** 31 - 1

export class CustomRules {
  readonly #kind: string
  readonly #schema: JSONSchemaProps | undefined
  readonly #scale: CustomResourceSubresourceScale | undefined
  readonly #preserves: boolean
  readonly #embeds: boolean
  readonly #check: SchemaCheck | undefined
  readonly #statusCheck: SchemaCheck | undefined
  readonly #cel: CelRules | undefined

  constructor(options: {
    kind: string
    schema: JSONSchemaProps | undefined
    scale: CustomResourceSubresourceScale | undefined
    /** `spec.preserveUnknownFields` of the definition. */
    preservesUnknown: boolean
    times?: RuleTimes | undefined
  }) {
    const { schema } = options
    this.#kind = options.kind
    this.#schema = schema
    this.#scale = options.scale
    this.#preserves = options.preservesUnknown || !schema
    this.#embeds = hasEmbedded(schema)
    this.#check = schema && new SchemaCheck(schema)
    const status = schema?.properties?.["status"]
    this.#statusCheck = status && new SchemaCheck(status)
    this.#cel = celRulesOf(schema, options.times)
  }

  /**
   * Makes a decoded object one of this version, in place; returns the paths of what it does not have and loses. Throws a
   * DecodeError for embedded metadata that is none.
   */
  coerce(obj: KubeObject): string[] {
    const unknown: string[] = []
    const loose = obj as unknown as Loose
    if (!this.#preserves) {
      unknown.push(...pruneCustom(loose, this.#schema!))
      pruneNulls(loose, this.#schema)
    }
    if (this.#embeds) unknown.push(...coerceEmbedded(loose, this.#schema))
    return unknown
  }

  setDefaults(obj: KubeObject): void {
    defaultCustom(obj, this.#schema)
  }

  validate(obj: Readonly<KubeObject>, old?: Readonly<KubeObject>): FieldError[] {
    if (obj.kind !== this.#kind) return [field.invalid("kind", obj.kind, `must be ${this.#kind}`)]
    const out = old ? this.#check?.validateUpdate(obj, old) : this.#check?.validate(obj)
    const errors = [...(out ?? []), ...this.#scaleSpec(obj), ...this.#scaleStatus(obj)]
    if (this.#embeds) errors.push(...validateEmbedded(obj, this.#schema))
    errors.push(...this.#listTypes(obj, old))
    return this.#withCel(errors, obj, old)
  }

  validateStatus(obj: Readonly<KubeObject>, old: Readonly<KubeObject>): FieldError[] {
    const { status } = obj as { status?: unknown }
    const before = (old as { status?: unknown }).status
    const errors: FieldError[] = []
    if (status !== undefined && this.#statusCheck)
      errors.push(...this.#statusCheck.validateUpdate(status, before, "status"))
    errors.push(...this.#scaleStatus(obj), ...this.#listTypes(obj, old))
    return this.#withCel(errors, obj, old)
  }

  /** Expressions are asked about what is right so far. */
  #withCel(errors: FieldError[], obj: object, old: object | undefined): FieldError[] {
    if (!this.#cel) return errors
    const blocked = blockedBy(errors)
    const more = blocked ? [blocked] : this.#cel.validate(obj, old, () => {})
    return [...errors, ...more]
  }

  /** What was wrong before may stay so. */
  #listTypes(obj: object, old: object | undefined): FieldError[] {
    const errors = validateListTypes(obj, this.#schema)
    if (errors.length === 0 || !old) return errors
    return validateListTypes(old, this.#schema).length > 0 ? [] : errors
  }

  #scaleSpec(obj: object): FieldError[] {
    return this.#scale ? replicasProblems(obj, this.#scale.specReplicasPath) : []
  }

  #scaleStatus(obj: object): FieldError[] {
    if (!this.#scale) return []
    const errors = replicasProblems(obj, this.#scale.statusReplicasPath)
    const { labelSelectorPath: path } = this.#scale
    if (path !== undefined) {
      try {
        readTyped(obj, path, "string")
      } catch (thrown) {
        errors.push(field.invalid(path, "", messageOf(thrown)))
      }
    }
    return errors
  }
}

function replicasProblems(obj: object, path: string): FieldError[] {
  try {
    const replicas = readTyped(obj, path, "int64") ?? 0
    if (replicas < 0) return [field.invalid(path, replicas, "should be a non-negative integer")]
    if (replicas > maxInt32)
      return [field.invalid(path, replicas, `should be less than or equal to ${maxInt32}`)]
    return []
  } catch (thrown) {
    return [field.invalid(path, 0, messageOf(thrown))]
  }
}

const standardFinalizers = new Set(["orphan", "foregroundDeletion", "kubernetes"])

/** What is said of finalizers that are new. */
export function finalizerWarnings(obj: Readonly<KubeObject>, old?: Readonly<KubeObject>): string[] {
  const had = new Set(old?.metadata.finalizers)
  const added = [...new Set(obj.metadata.finalizers)].filter((name) => !had.has(name)).sort()
  const path = "metadata.finalizers"
  return added.flatMap((name) => {
    const quoted = goQuote(name)
    const out = isQualifiedName(name).map((problem) => `${path}: ${quoted}: ${problem}`)
    if (!name.includes("/") && !standardFinalizers.has(name))
      out.push(
        `${path}: ${quoted}: prefer a domain-qualified finalizer name` +
          (name.includes(".") ? " including a path (/)" : "") +
          " to avoid accidental conflicts with other finalizer writers",
      )
    return out
  })
}
