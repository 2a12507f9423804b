/**
 * A kind is declared once, in one file, and everything else is derived from the value: routes, discovery,
 * OpenAPI, storage, defaulting, the printed table, the typed client, informers and the round-trip test.
 */
import type { FieldError } from "./field-error.ts"
import type { ObjectMeta, TypeMeta } from "./meta/types.gen.ts"
import { schemaOf, type Schema } from "./schema.ts"

/** Any API object. */
export interface KubeObject extends TypeMeta {
  metadata: ObjectMeta
}

export type Verb = "create" | "delete" | "deletecollection" | "get" | "list" | "patch" | "update" | "watch"

export const allVerbs: readonly Verb[] = [
  "create",
  "delete",
  "deletecollection",
  "get",
  "list",
  "patch",
  "update",
  "watch",
]

/** One printed column. `priority` 0 shows always, 1 only with `-o wide`. */
export interface Column<T> {
  readonly name: string
  readonly type: "string" | "integer" | "number" | "boolean" | "date"
  readonly format?: string
  readonly priority?: number
  readonly description?: string
  /** Its cells stand at the end of each row, and no definition tells of them. Default false. */
  readonly isUntold?: boolean
  /** The cell of one object; `nowMs` is the time for ages. */
  read(obj: T, nowMs: number): string | number | boolean | null
}

/** A part of an object with an endpoint of its own. `get` and `update` on `status` and `scale` are generic. */
export interface Subresource {
  /** For example `status`, `scale`, `log`, `eviction`. */
  readonly name: string
  readonly verbs: readonly ("create" | "delete" | "get" | "patch" | "update")[]
  /** What it takes and answers, when that is not the kind itself. Default of `schema`: the published shape. */
  readonly kind?: {
    readonly group: string
    readonly version: string
    readonly kind: string
    readonly schema?: Schema
  }
}

/** Who sends a request, as authentication and impersonation found. */
export interface UserInfo {
  readonly name: string
  readonly uid?: string
  /** Includes `system:authenticated` or `system:unauthenticated`. */
  readonly groups: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

/** What a delete says of the objects that the deleted one owns. */
export interface DeletionWish {
  readonly propagationPolicy?: string | undefined
  readonly orphanDependents?: boolean | undefined
}

/** What a strategy hook may know beside the object. */
export interface StrategyContext {
  readonly nowMs: number
  /** Who writes. */
  readonly user: UserInfo
  /** Tells the user something that can be seen only before the object is made ready. */
  warn?(text: string): void
}

/** What the author of a kind writes. Every hook is optional; hooks named `prepare…` and `setDefaults` may mutate `obj`. */
export interface KindSpec<T extends KubeObject> {
  /** "" for the core group. */
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly plural: string
  /** Default: `kind` in lower case. */
  readonly singular?: string
  readonly shortNames?: readonly string[]
  /** `["all"]` shows it in `kubectl get all`. */
  readonly categories?: readonly string[]
  readonly namespaced: boolean
  /** Default: all eight. */
  readonly verbs?: readonly Verb[]
  /** A name stands for the usual verbs of `status` and `scale`: get, patch, update. */
  readonly subresources?: readonly (Subresource | "status" | "scale")[]
  /** The published definition name, or a shape made by hand. */
  readonly schema: string | Schema
  /**
   * Which rules hold beside those that are told here: those of Kubernetes' own kinds (`native`, default) or those of custom
   * resources (`structural`). Whoever makes a kind at run time says so: the shape does not tell, it may be a published one.
   * Structural kinds take no strategic patches, any qualified finalizer and no metadata with a status; they show no status
   * that is empty, and their type in each item of a list.
   */
  readonly rules?: "native" | "structural"
  /** Where its objects are in the store, under `/registry/`; default `<group>/<plural>`, or `<plural>` in the core group. */
  readonly storagePrefix?: string
  /**
   * The kind in whose shape objects are stored, when that is another version of this one. The two share one
   * storage, one watch cache and one set of revisions.
   */
  readonly storedAs?: () => Kind
  /** The older version in which the release still stores the kind: what discovery tells of its storage is of that one. */
  readonly releaseStoresVersion?: string
  /**
   * Conversion to and from `storedAs`, beside `apiVersion`, which is handled: at once, one object at a time. Default: the
   * same fields. What has to wait for it (a webhook) is converted by a converter of the resource, in batches.
   */
  toStored?(obj: T): KubeObject
  fromStored?(obj: KubeObject): T

  /**
   * Fills in what the user left out. Runs after decoding: on every write, and on what is read from the store in another
   * form than the present one. `nowMs` is the time; for what is read, that of the object's creation.
   */
  setDefaults?(obj: T, nowMs: number): void
  /**
   * Counts how often `setDefaults`, `toStored` or `fromStored` came to do something else: objects that are stored with
   * another number are read through them again. A change of the shape tells itself. Default 0.
   */
  readonly form?: number
  /** Before validation of a create. Generic code has set metadata, cleared `status` (when it is a subresource) and set generation 1. */
  prepareForCreate?(obj: T, ctx: StrategyContext): void
  /** Before validation of an update. Generic code has kept the old `status` and raised the generation when anything but metadata and status changed. */
  prepareForUpdate?(obj: T, old: Readonly<T>, ctx: StrategyContext): void
  /** Before validation of an update of `status`. Generic code has kept everything but `status`. */
  prepareForStatusUpdate?(obj: T, old: Readonly<T>, ctx: StrategyContext): void
  /**
   * Where the problems of a new object's metadata are told: before those of `validate` (default), after them, or only
   * when there are none of those; then the name may be whatever fits into a path.
   */
  readonly metadataProblems?: "first" | "last" | "alone"
  /** Must not mutate. Generic code validates the metadata. `old` is what an update replaces, absent on create. */
  validate?(obj: Readonly<T>, old?: Readonly<T>): FieldError[]
  /** Must not mutate; runs after `validate` of the new object. */
  validateUpdate?(obj: Readonly<T>, old: Readonly<T>): FieldError[]
  validateStatusUpdate?(obj: Readonly<T>, old: Readonly<T>, nowMs: number): FieldError[]
  /** Returns why `name` is not acceptable; default: a DNS subdomain. `prefix` is true for `generateName`. `obj` is what is to be created. */
  validateName?(name: string, prefix: boolean, obj: Readonly<T>): string[]
  /** What every request about the kind is told (the `Warning` header): that it is going away. */
  readonly deprecation?: string
  /** Warnings for the user (the `Warning` header). `old` is what an update replaces. */
  warnings?(obj: Readonly<T>, old?: Readonly<T>): string[]
  /**
   * Seconds an object may take to end when it is deleted; undefined deletes at once. `requested` is
   * `DeleteOptions.gracePeriodSeconds`. Only pods have one among the built-in kinds.
   */
  gracePeriodSeconds?(obj: Readonly<T>, requested: number | undefined): number | undefined
  /** A delete answers the object even when it is gone; default false: it answers a Status. */
  readonly returnDeletedObject?: boolean
  /**
   * What becomes of the objects that a deleted one owns, when neither the request nor its finalizers say: they are deleted
   * (default) or left. `Unsupported`: it never owns any, whatever a request says.
   */
  readonly garbageCollectionPolicy?: "DeleteDependents" | "OrphanDependents" | "Unsupported"
  /** Warnings for the user who deletes an object (the `Warning` header). */
  deleteWarnings?(wish: DeletionWish): string[]
  /**
   * An object ends in two steps: a delete marks it as ending, by `begin`, and it goes when nothing of `isHeld` and its
   * finalizers holds it any more. Default: its finalizers alone hold it.
   */
  readonly termination?: {
    /** May mutate `obj`, which is not stored yet. */
    begin(obj: T): void
    /** Whether something beside `metadata.finalizers` holds it, such as namespaces' `spec.finalizers`. */
    isHeld(obj: Readonly<T>): boolean
  }
  /** Objects end by themselves that many seconds, or up to a minute more, after they were last written; default: never. */
  readonly ttlSeconds?: number
  /**
   * The finalizers that an object may have: known ones without a domain and qualified names (default), or any qualified
   * name, as custom resources may. Mirrors: ValidateObjectMeta of pkg/apis/core and of apimachinery.
   */
  readonly finalizers?: "known" | "qualified"
  /** A problem is told as often as it is found; default: once. */
  readonly repeatsProblems?: boolean
  /** `metadata.generation` is kept by generic code; default true when `status` is a subresource. */
  readonly hasGeneration?: boolean
  /** Whether a change of anything but metadata and status raises `metadata.generation`; default as `hasGeneration`. */
  readonly raisesGeneration?: boolean
  /**
   * The metadata that an update of `status` leaves as it is: all of it but managedFields and versions, or these
   * fields. Default: none, so that labels and annotations may change with the status.
   */
  readonly statusKeeps?: "metadata" | readonly ("labels" | "ownerReferences")[]
  /** Annotations that are fields of upstream's internal type: metadata alone, and tables, do not show them. */
  readonly internalAnnotations?: readonly string[]
  /** A create may bring `status` along: nodes register with theirs. Default false. */
  readonly keepsStatusOnCreate?: boolean
  /** An update without resourceVersion is taken as it is; default true. */
  readonly allowUnconditionalUpdate?: boolean
  /** PUT of an object that does not exist creates it; default false. */
  readonly allowCreateOnUpdate?: boolean
  /** Beside Name (always first) and Age (add it yourself, last, where upstream has it). Default: Name and Created At. */
  readonly columns?: readonly Column<T>[]
  /**
   * Beside `metadata.name` and, where {@link selectsNamespace}, `metadata.namespace`. A kind that names any (or `{}`)
   * has a conversion of its own upstream, which refuses other fields in other words than the default one.
   */
  readonly selectableFields?: Readonly<Record<string, (obj: Readonly<T>) => string>>
  /** Default: a namespaced kind does, and a kind without `selectableFields`. */
  readonly selectsNamespace?: boolean
  /** In what words a field that cannot be selected is refused; default `field label not supported: …`. */
  refuseField?(field: string): string
  /** Selectable fields whose values tell objects well apart: lists and watches of one value look it up. Default: none. */
  readonly indexedFields?: readonly string[]
  /** Where `scale` reads and writes; default `spec.replicas`, `status.replicas` and `spec.selector`. */
  readonly scale?: {
    /** The field that `setReplicas` sets, for who manages it; default `["spec", "replicas"]`. */
    readonly replicasPath?: readonly string[]
    /** Whether there is such a field to read; default: there always is. */
    hasReplicas?(obj: Readonly<T>): boolean
    getReplicas(obj: Readonly<T>): number
    setReplicas(obj: T, replicas: number): void
    statusReplicas(obj: Readonly<T>): number
    /** The selector as text. */
    selector(obj: Readonly<T>): string
  }
}

/** A declared kind: the spec with its defaults filled in, frozen. */
export interface Kind<T extends KubeObject = any> extends Omit<
  KindSpec<T>,
  | "schema"
  | "singular"
  | "shortNames"
  | "categories"
  | "verbs"
  | "subresources"
  | "columns"
  | "selectableFields"
  | "selectsNamespace"
  | "refuseField"
  | "rules"
> {
  readonly singular: string
  readonly shortNames: readonly string[]
  readonly categories: readonly string[]
  readonly verbs: readonly Verb[]
  readonly subresources: ReadonlyMap<string, Subresource>
  readonly columns: readonly Column<T>[]
  readonly selectableFields: Readonly<Record<string, (obj: Readonly<T>) => string>>
  readonly selectsNamespace: boolean
  refuseField(field: string): string
  /** `v1`, `apps/v1`. */
  readonly apiVersion: string
  /** `v1/Pod`, `apps/v1/Deployment`: equal for kinds that are the same (see `sameKind`), for use as a key. */
  readonly id: string
  readonly schema: Schema
  readonly rules: "native" | "structural"
  readonly storagePrefix: string
  readonly hasGeneration: boolean
  readonly raisesGeneration: boolean
  /** Only for the type checker. */
  readonly $type?: T
}

/** Declares a kind. Does nothing else: a server serves the kinds that it is given. */
export function defineKind<T extends KubeObject>(spec: KindSpec<T>): Kind<T> {
  const { group, version, plural } = spec
  const subresources = new Map<string, Subresource>()
  for (const sub of spec.subresources ?? []) {
    const value: Subresource =
      typeof sub !== "string"
        ? sub
        : sub === "scale"
          ? {
              name: sub,
              verbs: ["get", "patch", "update"],
              kind: { group: "autoscaling", version: "v1", kind: "Scale" },
            }
          : { name: sub, verbs: ["get", "patch", "update"] }
    subresources.set(value.name, value)
  }
  const { schema } = spec
  const apiVersion = group ? `${group}/${version}` : version
  const hasGeneration = spec.hasGeneration ?? subresources.has("status")
  return Object.freeze({
    ...spec,
    singular: spec.singular ?? spec.kind.toLowerCase(),
    shortNames: spec.shortNames ?? [],
    categories: spec.categories ?? [],
    verbs: spec.verbs ?? allVerbs,
    subresources,
    columns: spec.columns ?? [],
    selectableFields: spec.selectableFields ?? {},
    selectsNamespace: spec.selectsNamespace ?? (spec.selectableFields === undefined || spec.namespaced),
    refuseField:
      spec.refuseField ??
      (spec.selectableFields === undefined
        ? (field: string) =>
            `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`
        : (field: string) => `field label not supported: ${field}`),
    apiVersion,
    id: `${apiVersion}/${spec.kind}`,
    // Resolved on first use: most processes touch few of the kinds.
    get schema() {
      return typeof schema === "string" ? schemaOf(schema) : schema
    },
    rules: spec.rules ?? "native",
    storagePrefix: spec.storagePrefix ?? (group ? `${group}/${plural}` : plural),
    hasGeneration,
    raisesGeneration: spec.raisesGeneration ?? hasGeneration,
  })
}
