/**
 * The kinds that a CustomResourceDefinition makes: one value for each of its versions, as a built-in kind is.
 * Mirrors: apiextensions pkg/apiserver/customresource_handler.go
 */
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
  CustomResourceSubresourceScale,
} from "@knarr/api"
import {
  decodeObject,
  deepClone,
  defineKind,
  parseJSONPath,
  schemaOf,
  type Kind,
  type KindSpec,
  type KubeObject,
  type Schema,
} from "@knarr/apimachinery"
import { compareVersions } from "../endpoints/group-versions.ts"
import { columnsOf } from "./custom-columns.ts"
import { CustomRules, finalizerWarnings } from "./custom-rules.ts"
import { unknownPaths } from "./embedded.ts"
import { shapeOfCustom } from "./custom-shape.ts"
import type { RuleTimes } from "./rule-times.ts"
import { namesOf, readTyped, setNested } from "./nested.ts"

/** An object as it is before its version's rules see it: its metadata as that of any object, and all else as it came. */
function readAnyObject(value: unknown): { object: KubeObject; unknown: readonly string[] } {
  const { object } = decodeObject<KubeObject>(anyObject, deepClone(value))
  const sent = object as { metadata?: KubeObject["metadata"] | null }
  if (sent.metadata === undefined || sent.metadata === null) {
    delete sent.metadata
    return { object, unknown: [] }
  }
  const meta = schemaOf("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
  const read = decodeObject<KubeObject["metadata"]>(meta, object.metadata, { strict: true })
  object.metadata = read.object
  return { object, unknown: unknownPaths(read.strictErrors).map((path) => `metadata.${path}`) }
}

const text: Schema = { type: "string" }
const anyObject: Schema = {
  type: "object",
  preserveUnknown: true,
  fields: new Map(["apiVersion", "kind"].map((name) => [name, { name, schema: text, required: false }])),
}

/** The kind of one version. Throws when the definition has no such version. `times`: counts what its rules take. */
export function customKind(
  crd: Readonly<CustomResourceDefinition>,
  versionName: string,
  times?: RuleTimes,
): Kind {
  const { spec } = crd
  const version = spec.versions.find(({ name }) => name === versionName)
  if (!version) throw new Error(`Definition ${crd.metadata.name} has no version ${versionName}`)
  const names = crd.status?.acceptedNames ?? spec.names
  const schema = version.schema?.openAPIV3Schema
  const { status, scale } = version.subresources ?? {}
  const rules = new CustomRules({
    kind: names.kind,
    schema,
    scale,
    preservesUnknown: spec.preserveUnknownFields === true,
    times,
  })
  const kind: KindSpec<KubeObject> = {
    group: spec.group,
    version: version.name,
    kind: names.kind,
    plural: names.plural,
    ...(names.singular ? { singular: names.singular } : {}),
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    namespaced: spec.scope === "Namespaced",
    rules: "structural",
    schema: shapeOfCustom(schema, spec.preserveUnknownFields === true, (value) => {
      const { object, unknown } = readAnyObject(value)
      return { object, unknown: [...unknown, ...rules.coerce(object)] }
    }),
    setDefaults: (obj) => rules.setDefaults(obj),
    subresources: [...(status ? ["status" as const] : []), ...(scale ? ["scale" as const] : [])],
    hasGeneration: true,
    raisesGeneration: true,
    statusKeeps: "metadata",
    allowUnconditionalUpdate: false,
    validate: (obj, old) => rules.validate(obj, old),
    validateStatusUpdate: (obj, old) => rules.validateStatus(obj, old),
    warnings: finalizerWarnings,
    columns: columnsOf(version.additionalPrinterColumns),
    selectableFields: fieldsOf(version),
    ...deprecationOf(crd, version, names.kind),
    ...(scale ? { scale: scaleBy(scale) } : {}),
  }
  return defineKind(kind)
}

/** What users of a version that is going away are told, and which one to take instead. */
function deprecationOf(
  { spec }: Readonly<CustomResourceDefinition>,
  version: CustomResourceDefinitionVersion,
  kind: string,
): { deprecation?: string } {
  if (!version.deprecated) return {}
  if (version.deprecationWarning !== undefined) return { deprecation: version.deprecationWarning }
  const text = `${spec.group}/${version.name} ${kind} is deprecated`
  const [better] = spec.versions
    .filter(
      ({ name, served, deprecated }) => served && !deprecated && compareVersions(name, version.name) > 0,
    )
    .sort((a, b) => compareVersions(b.name, a.name))
  return { deprecation: better ? `${text}; use ${spec.group}/${better.name} ${kind}` : text }
}

/** Mirrors: apiextensions pkg/registry/customresource/strategy.go selectableFields */
function fieldsOf(
  version: CustomResourceDefinitionVersion,
): NonNullable<KindSpec<KubeObject>["selectableFields"]> {
  const out: Record<string, (obj: Readonly<KubeObject>) => string> = {}
  for (const { jsonPath } of version.selectableFields ?? []) {
    const path = parseJSONPath(`{${jsonPath}}`, { allowMissingKeys: true })
    out[jsonPath.replace(/^\./, "")] = (obj) => {
      try {
        const value = path.findResults(obj)[0]?.[0]
        return value === undefined || value === null || typeof value === "object"
          ? ""
          : String(value as string)
      } catch {
        return ""
      }
    }
  }
  return out
}

function scaleBy(scale: CustomResourceSubresourceScale): NonNullable<KindSpec<KubeObject>["scale"]> {
  return {
    replicasPath: namesOf(scale.specReplicasPath),
    hasReplicas: (obj) => readTyped(obj, scale.specReplicasPath, "int64") !== undefined,
    getReplicas: (obj) => readTyped(obj, scale.specReplicasPath, "int64") ?? 0,
    setReplicas: (obj, replicas) => setNested(obj, scale.specReplicasPath, replicas),
    statusReplicas: (obj) => readTyped(obj, scale.statusReplicasPath, "int64") ?? 0,
    selector: (obj) =>
      scale.labelSelectorPath ? (readTyped(obj, scale.labelSelectorPath, "string") ?? "") : "",
  }
}
