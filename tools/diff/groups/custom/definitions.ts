/** Definitions: their status, their names, their versions. */
import { get, patch, post, put, quiet, remove, tableHeaders, type Step } from "../../script.ts"
import { definition, definitions, served, version } from "./definition.ts"

const spec = { spec: { type: "object", properties: { a: { type: "string" }, n: { type: "integer" } } } }
const established = (name: string): Step => ({
  ...quiet(get(`established ${name}`, name)),
  whileStatus: 404,
})

export function lifecycle(namespace: string): Step[] {
  const group = "lifecycle.example.com"
  const one = `${definitions}/things.${group}`
  const path = `/apis/${group}/v1/namespaces/${namespace}/things`
  return [
    post("create", definitions, definition(group, "things", "Thing", [version("v1", spec)]) as never),
    established(`/apis/${group}/v1/things`),
    get("get", one),
    get("get status", `${one}/status`),
    get("table", one, tableHeaders),
    get("discovery of the group", `/apis/${group}`),
    get("discovery of the version", `/apis/${group}/v1`),
    get("openapi", `/openapi/v3/apis/${group}/v1`),
    get("list of nothing", `/apis/${group}/v1/things`),
    get("another version", `/apis/${group}/v2/things`),
    get("another resource", `/apis/${group}/v1/others`),
    get("no such object", `${path}/none`),
    post("in no namespace", `/apis/${group}/v1/namespaces/none-${namespace}/things`, {
      apiVersion: `${group}/v1`,
      kind: "Thing",
      metadata: { name: "one" },
    }),
    patch("status by the user", `${one}/status`, "merge", { status: { storedVersions: [] } }),
    put("scope changed", one, {
      ...definition(group, "things", "Thing", [version("v1", spec)], { spec: { scope: "Cluster" } }),
    } as never),
    remove("delete", one),
    { ...quiet(get("gone", one)), whileStatus: 200 },
    get("not served any more", `/apis/${group}/v1/things`),
    get("no group any more", `/apis/${group}`),
  ]
}

export function names(): Step[] {
  const group = "names.example.com"
  const crd = (plural: string, kind: string, more: object): never =>
    definition(group, plural, kind, [version("v1", spec)], { names: more as never }) as never
  const settled = (plural: string): Step => ({
    ...get(`${plural} after a while`, `${definitions}/${plural}.${group}`),
  })
  return [
    quiet(post("first", definitions, crd("firsts", "First", { singular: "first", shortNames: ["fi", "f"] }))),
    established(`/apis/${group}/v1/firsts`),
    quiet(post("same kind", definitions, crd("seconds", "First", { singular: "second" }))),
    quiet(post("same short name", definitions, crd("thirds", "Third", { shortNames: ["fi", "f", "t"] }))),
    quiet(post("same singular", definitions, crd("fourths", "Fourth", { singular: "first" }))),
    quiet(post("same list kind", definitions, crd("fifths", "Fifth", { listKind: "FirstList" }))),
    quiet(post("last", definitions, crd("lasts", "Last", { categories: ["all", "mine"] }))),
    established(`/apis/${group}/v1/lasts`),
    settled("seconds"),
    settled("thirds"),
    settled("fourths"),
    settled("fifths"),
    settled("lasts"),
    get("discovery", `/apis/${group}/v1`),
  ]
}

export function versions(namespace: string): Step[] {
  const group = "versions.example.com"
  const crd = definition(group, "olds", "Old", [
    version("v1", spec),
    version("v1beta1", spec, { storage: false, deprecated: true }),
    version("v1alpha1", spec, { storage: false, deprecated: true, deprecationWarning: "do not use it" }),
    version("v2", spec, { storage: false, served: false }),
  ])
  const at = (name: string): string => `/apis/${group}/${name}/namespaces/${namespace}/olds`
  const body = (name: string, apiVersion: string): never =>
    ({
      apiVersion: `${group}/${apiVersion}`,
      kind: "Old",
      metadata: { name },
      spec: { a: "x", n: 1, z: 2 },
    }) as never
  return [
    ...served(namespace, crd),
    get("group", `/apis/${group}`),
    post("v1", at("v1"), body("one", "v1")),
    post("v1beta1", at("v1beta1"), body("two", "v1beta1")),
    post("v1alpha1", at("v1alpha1"), body("three", "v1alpha1")),
    post("v2 is not served", at("v2"), body("four", "v2")),
    post("v1beta1 at v1", at("v1"), body("five", "v1beta1")),
    get("v1beta1 read as v1", `${at("v1")}/two`),
    get("v1 read as v1beta1", `${at("v1beta1")}/one`),
    get("list", at("v1beta1")),
    get("table", at("v1alpha1"), tableHeaders),
    get("stored versions", `${definitions}/olds.${group}`),
  ]
}
