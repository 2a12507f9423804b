/** Objects of custom resources under every verb. */
import {
  get,
  metadataHeaders,
  patch,
  post,
  put,
  remove,
  tableHeaders,
  type Body,
  type Step,
} from "../../script.ts"
import { definition, served, version } from "./definition.ts"

const string = { type: "string" }
const integer = { type: "integer" }
const group = "objects.example.com"
const apiVersion = `${group}/v1`

const properties = {
  spec: {
    type: "object",
    properties: {
      replicas: integer,
      color: { type: "string", default: "red" },
      size: { type: "string", default: "big", nullable: true },
      text: { ...string, maxLength: 5 },
      nested: {
        type: "object",
        default: { deep: { x: 1 } },
        properties: {
          deep: { type: "object", properties: { x: integer, y: { type: "integer", default: 7 } } },
        },
      },
      list: {
        type: "array",
        items: { type: "object", properties: { name: string, on: { type: "boolean", default: true } } },
      },
      keyed: {
        type: "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        items: { type: "object", required: ["name"], properties: { name: string, v: string } },
      },
      set: { type: "array", "x-kubernetes-list-type": "set", items: string },
      map: { type: "object", additionalProperties: string },
      atom: { type: "object", "x-kubernetes-map-type": "atomic", additionalProperties: string },
      free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
      port: { "x-kubernetes-int-or-string": true },
    },
  },
  status: {
    type: "object",
    properties: { replicas: integer, selector: string, phase: { type: "string", enum: ["On", "Off"] } },
  },
}

const more = {
  subresources: {
    status: {},
    scale: {
      specReplicasPath: ".spec.replicas",
      statusReplicasPath: ".status.replicas",
      labelSelectorPath: ".status.selector",
    },
  },
  additionalPrinterColumns: [
    { name: "Replicas", type: "integer", jsonPath: ".spec.replicas", description: "how many" },
    { name: "Color", type: "string", jsonPath: ".spec.color", priority: 1 },
    { name: "Names", type: "string", jsonPath: ".spec.list[*].name" },
    { name: "On", type: "boolean", jsonPath: ".spec.list[0].on" },
    { name: "Made", type: "date", jsonPath: ".metadata.creationTimestamp" },
    { name: "Map", type: "string", jsonPath: ".spec.map" },
  ],
  selectableFields: [{ jsonPath: ".spec.color" }, { jsonPath: ".spec.replicas" }],
}

const object = (name: string, spec: unknown, rest: object = {}): Body => ({
  apiVersion,
  kind: "Thing",
  metadata: { name },
  spec,
  ...rest,
})

export function objects(namespace: string): Step[] {
  const path = `/apis/${group}/v1/namespaces/${namespace}/things`
  const one = `${path}/one`
  const full = {
    replicas: 3,
    list: [{ name: "a" }, { name: "b", on: false }],
    keyed: [{ name: "k", v: "1" }],
    set: ["x"],
    map: { k: "v" },
    free: { any: [1, null, { thing: true }] },
    port: "http",
    size: null,
  }
  return [
    ...served(
      namespace,
      definition(group, "things", "Thing", [version("v1", properties, more)], {
        names: { shortNames: ["th"], categories: ["all"] },
      }),
    ),
    get("discovery", `/apis/${group}/v1`),
    post("create", path, object("one", full, { status: { phase: "On" } })),
    get("get", one),
    post("empty", path, object("two", {})),
    post(
      "null where none may be",
      path,
      object("three", { color: null, text: null, list: null, map: { a: null } }),
    ),
    post(
      "unknown fields, warned of",
      path,
      object("four", { x: 1, nested: { z: 1 }, list: [{ q: 1 }], free: { ok: 1 } }, { other: 1 }),
    ),
    post(
      "unknown fields, refused",
      `${path}?fieldValidation=Strict`,
      object("five", { x: 1, list: [{ q: 1 }] }, { other: 1 }),
    ),
    post("unknown fields, dropped", `${path}?fieldValidation=Ignore&dryRun=All`, object("five", { x: 1 })),
    post(
      "twice the same field",
      `${path}?fieldValidation=Strict`,
      `{"apiVersion":"${apiVersion}","kind":"Thing","metadata":{"name":"six"},"spec":{"color":"a","color":"b"}}`,
    ),
    post("unknown metadata", `${path}?fieldValidation=Strict`, {
      apiVersion,
      kind: "Thing",
      metadata: { name: "six", foo: "bar" },
    }),
    post("wrong metadata", path, { apiVersion, kind: "Thing", metadata: { name: "six", labels: { a: 1 } } }),
    post("no name", path, { apiVersion, kind: "Thing", metadata: {} }),
    post("bad name", path, object("A_b", {})),
    post("no type", path, { metadata: { name: "six" } }),
    post("another kind", path, { apiVersion, kind: "Other", metadata: { name: "six" } }),
    post("another version", path, { apiVersion: `${group}/v9`, kind: "Thing", metadata: { name: "six" } }),
    post("not JSON", path, "{"),
    post("a list", path, []),
    post("spec of another type", path, object("six", "x")),
    post("too long", path, object("six", { text: "toolong" })),
    post("status wrong on create", `${path}?dryRun=All`, object("six", {}, { status: { phase: "Maybe" } })),
    post("finalizers", path, {
      apiVersion,
      kind: "Thing",
      metadata: { name: "fin", finalizers: ["plain", "a.b", "x.y/z", "bad name/"] },
    }),
    post("finalizers of some use", path, {
      apiVersion,
      kind: "Thing",
      metadata: { name: "fin", finalizers: ["plain", "a.b", "x.y/z"] },
    }),
    post("exists", path, object("one", {})),
    put("put without version", one, object("one", full)),
    put("put of another name", one, object("two", full)),
    {
      name: "put",
      method: "PUT",
      path: one,
      headers: { "content-type": "application/json" },
      body: {
        ...(object("one", { ...full, color: "blue" }) as object),
        metadata: { name: "one", resourceVersion: "${rv}" },
      } as never,
    },
    patch("merge", one, "merge", {
      spec: { replicas: 4, map: { k: null, l: "m" } },
      metadata: { labels: { a: "b" } },
    }),
    patch("merge of nothing", one, "merge", {}),
    patch("merge with a default taken away", one, "merge", { spec: { color: null } }),
    patch("merge of an unknown field", one, "merge", { spec: { nope: 1 } }),
    patch("merge of an unknown field, refused", `${one}?fieldValidation=Strict`, "merge", {
      spec: { nope: 1 },
    }),
    patch("json", one, "json", [{ op: "replace", path: "/spec/replicas", value: 5 }]),
    patch("json that fails", one, "json", [{ op: "test", path: "/spec/replicas", value: 9 }]),
    patch("strategic", one, "strategic", { spec: { replicas: 6 } }),
    patch("wrong value", one, "merge", { spec: { replicas: "x" } }),
    patch(
      "apply",
      `${one}?fieldManager=a`,
      "apply",
      object("one", { keyed: [{ name: "l", v: "2" }], set: ["y"], text: "mine", atom: { a: "b" } }) as never,
    ),
    patch(
      "apply in conflict",
      `${one}?fieldManager=b`,
      "apply",
      object("one", { text: "yours", replicas: 1 }) as never,
    ),
    patch(
      "apply by force",
      `${one}?fieldManager=b&force=true`,
      "apply",
      object("one", { text: "yours", replicas: 1 }) as never,
    ),
    patch("apply gives up", `${one}?fieldManager=a`, "apply", object("one", { set: ["y"] }) as never),
    patch(
      "apply that creates",
      `${path}/applied?fieldManager=a`,
      "apply",
      object("applied", { replicas: 2 }) as never,
    ),
    patch("apply of an unknown field", `${one}?fieldManager=c`, "apply", object("one", { nope: 1 }) as never),
    patch("apply of a wrong type", `${one}?fieldManager=c`, "apply", object("one", { keyed: "x" }) as never),
    patch("status", `${one}/status`, "merge", {
      status: { replicas: 2, selector: "a=b", phase: "On" },
      spec: { replicas: 9 },
      metadata: { labels: { z: "z" } },
    }),
    patch("status, wrong", `${one}/status`, "merge", { status: { phase: "Maybe" } }),
    patch(
      "status, applied",
      `${one}/status?fieldManager=s`,
      "apply",
      object("one", undefined, { status: { phase: "Off" } }) as never,
    ),
    get("scale", `${one}/scale`),
    get("scale of nothing", `${path}/two/scale`),
    patch("scale, patched", `${one}/scale`, "merge", { spec: { replicas: 7 } }),
    put("scale put", `${one}/scale`, {
      apiVersion: "autoscaling/v1",
      kind: "Scale",
      metadata: { name: "one", namespace },
      spec: { replicas: 8 },
    }),
    patch("scale below nothing", `${one}/scale`, "merge", { spec: { replicas: -1 } }),
    get("after all", one),
    get("list", path),
    get("list of labels", `${path}?labelSelector=a%3Db`),
    get("list of fields", `${path}?fieldSelector=spec.color%3Dred`),
    get("list of numbers", `${path}?fieldSelector=spec.replicas%3D8`),
    get("list of an unknown field", `${path}?fieldSelector=spec.text%3Dx`),
    get("page", `${path}?limit=1`),
    get("table", path, tableHeaders),
    get("table of one", one, tableHeaders),
    get("metadata", one, metadataHeaders),
    get("metadata of all", path, {
      accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json",
    }),
    get("yaml", one, { accept: "application/yaml" }),
    get("protobuf", one, { accept: "application/vnd.kubernetes.protobuf" }),
    get("protobuf or JSON", one, { accept: "application/vnd.kubernetes.protobuf,application/json" }),
    get("watch", `${path}?watch=true&timeoutSeconds=1&resourceVersion=0`),
    get("no such subresource", `${one}/other`),
    remove("delete", one),
    remove("delete again", one),
    remove("delete with a finalizer", `${path}/fin`),
    patch("finalizer goes", `${path}/fin`, "merge", { metadata: { finalizers: null } }),
    remove("delete all", path),
    get("nothing left", path),
  ]
}
