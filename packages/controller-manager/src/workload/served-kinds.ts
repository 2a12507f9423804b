/** The kinds that a cluster serves: the built-in ones and those that CustomResourceDefinitions add. */
import { customResourceDefinition, kinds as builtIn, type CustomResourceDefinition } from "@knarr/api"
import { defineKind, schemaOf, type Field, type Kind, type Schema } from "@knarr/apimachinery"
import type { Cache } from "@knarr/controller-kit"

/** Group, resource: what tells the versions of one resource from other resources. */
export function resourceId(kind: Kind): string {
  return `${kind.plural}.${kind.group}`
}

const anyField = (name: string, schema: Schema, required = false): Field => ({ name, schema, required })

/** A kind for reading and deleting custom resources, or undefined while the definition is not established. */
function kindOfDefinition(crd: CustomResourceDefinition): Kind | undefined {
  const established = crd.status?.conditions?.some(
    (one) => one.type === "Established" && one.status === "True",
  )
  if (!established || !crd.spec?.versions) return undefined
  const served = crd.spec.versions.filter((version) => version.served)
  const version = served.find((one) => one.storage) ?? served[0]
  if (!version) return undefined
  const { names, group, scope } = crd.spec
  const text: Schema = { type: "string" }
  return defineKind({
    group,
    version: version.name,
    kind: names.kind,
    plural: names.plural,
    namespaced: scope === "Namespaced",
    rules: "structural",
    schema: {
      type: "object",
      preserveUnknown: true,
      fields: new Map([
        ["apiVersion", anyField("apiVersion", text)],
        ["kind", anyField("kind", text)],
        ["metadata", anyField("metadata", schemaOf("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"))],
      ]),
    },
  })
}

/** Built-in kinds that are stored and listed, one version of each resource. */
export function storedKinds(kinds: readonly Kind[] = builtIn): Kind[] {
  const byResource = new Map<string, Kind>()
  for (const kind of kinds) {
    if (kind.storedAs !== undefined || !kind.verbs.includes("list") || !kind.verbs.includes("delete"))
      continue
    if (!byResource.has(resourceId(kind))) byResource.set(resourceId(kind), kind)
  }
  return [...byResource.values()]
}

/** The kinds of all established definitions in the cache, which must hold CustomResourceDefinitions. */
export function customKinds(cache: Cache): Kind[] {
  const out: Kind[] = []
  const definitions = [...cache.list(customResourceDefinition)]
  definitions.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
  for (const crd of definitions) {
    const kind = kindOfDefinition(crd)
    if (kind) out.push(kind)
  }
  return out
}
