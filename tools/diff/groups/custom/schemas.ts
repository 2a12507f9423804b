/** Values that fit their schemas, and values that do not. */
import { patch, post, put, quiet, type Body, type Step } from "../../script.ts"
import { cases } from "./cases.ts"
import { definition, served, version } from "./definition.ts"

export function schemas(namespace: string): Step[] {
  const group = "schemas.example.com"
  const properties = Object.fromEntries(cases.map(({ schema }, i) => [`c${i}`, schema]))
  const path = `/apis/${group}/v1/namespaces/${namespace}/cases`
  const object = (spec: object): Body => ({
    apiVersion: `${group}/v1`,
    kind: "Case",
    metadata: { name: "one" },
    ...spec,
  })
  const steps = served(namespace, definition(group, "cases", "Case", [version("v1", properties)]))
  for (const [i, { values }] of cases.entries())
    for (const [j, value] of values.entries())
      steps.push(
        post(`c${i}.${j} ${JSON.stringify(value)}`, `${path}?dryRun=All`, object({ [`c${i}`]: value })),
      )
  return steps
}

/** What is wrong may stay as it was. */
export function ratcheting(namespace: string): Step[] {
  const group = "ratcheting.example.com"
  const path = `/apis/${group}/v1/namespaces/${namespace}/loose`
  const item = {
    type: "object",
    properties: { name: { type: "string" }, v: { type: "integer" } },
    required: ["name"],
  }
  const free = { type: "object", "x-kubernetes-preserve-unknown-fields": true }
  const strict = {
    type: "object",
    properties: {
      n: { type: "integer", maximum: 3 },
      text: { type: "string", pattern: "^a" },
      list: { type: "array", items: { type: "integer", maximum: 3 } },
      keyed: {
        type: "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        items: { ...item, properties: { ...item.properties, v: { type: "integer", maximum: 3 } } },
      },
      map: { type: "object", additionalProperties: { type: "integer", maximum: 3 } },
    },
  }
  const crd = definition(group, "loose", "Loose", [version("v1", { spec: free })], {
    names: { singular: "loose" },
  })
  const spec = { n: 5, text: "b", list: [5], keyed: [{ name: "x", v: 5 }], map: { k: 5 } }
  const body = (changed: object): Body => ({
    apiVersion: `${group}/v1`,
    kind: "Loose",
    metadata: { name: "one" },
    spec: { ...spec, ...changed },
  })
  const name = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/loose.${group}`
  const merge = (title: string, change: object): Step =>
    patch(title, `${path}/one?dryRun=All`, "merge", { spec: change })
  return [
    ...served(namespace, crd),
    quiet(post("old", path, body({}))),
    quiet(
      patch("tighten", name, "json", [
        { op: "replace", path: "/spec/versions/0/schema/openAPIV3Schema/properties/spec", value: strict },
      ]),
    ),
    {
      ...quiet(
        post("tightened", `${path}?dryRun=All`, { ...(body({}) as object), metadata: { name: "two" } }),
      ),
      whileStatus: 201,
    },
    merge("nothing", { other: 1 }),
    merge("n", { n: 6 }),
    merge("n that is right", { n: 2 }),
    merge("text", { text: "c" }),
    merge("list", { list: [5, 1] }),
    merge("keyed, same", {
      keyed: [
        { name: "y", v: 1 },
        { name: "x", v: 5 },
      ],
    }),
    merge("keyed, other", { keyed: [{ name: "x", v: 6 }] }),
    merge("map", { map: { k: 5, l: 1 } }),
    merge("map, other", { map: { k: 6 } }),
    put("put without version", `${path}/one?dryRun=All`, body({})),
  ]
}
