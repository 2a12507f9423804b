/** Definitions of custom resources for scripts. */
import { get, namespaceSteps, post, quiet, type Step } from "../../script.ts"

type Loose = Readonly<Record<string, unknown>>

export const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

export const version = (name: string, properties: Loose, more: Loose = {}): Record<string, unknown> => ({
  name,
  served: true,
  storage: true,
  schema: { openAPIV3Schema: { type: "object", properties } },
  ...more,
})

/** A definition in a group of the script's own. */
export function definition(
  group: string,
  plural: string,
  kind: string,
  versions: readonly Loose[],
  more: { readonly spec?: Loose; readonly names?: Loose } = {},
): Record<string, unknown> {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: { group, scope: "Namespaced", names: { plural, kind, ...more.names }, versions, ...more.spec },
  }
}

/** A namespace, the definition in it, and the wait until it is served. */
export function served(namespace: string, body: Record<string, unknown>): Step[] {
  const { group, names, versions } = body.spec as {
    group: string
    names: { plural: string }
    versions: { name: string }[]
  }
  const list = `/apis/${group}/${versions[0]!.name}/${names.plural}`
  return [
    ...namespaceSteps(namespace),
    quiet(post("define", definitions, body as never)),
    { ...quiet(get("served", list)), whileStatus: 404 },
  ]
}
