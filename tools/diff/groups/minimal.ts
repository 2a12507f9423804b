/** The least object of every kind, through everything that can be done with it. */
import { stringifyYaml } from "@knarr/apimachinery"
import { collectionOf, objectOf, samplesOf, type Sample } from "../objects.ts"
import {
  get,
  json,
  metadataHeaders,
  namespaceSteps,
  patch,
  post,
  put,
  quiet,
  remove,
  tableHeaders,
  type Edit,
  type Script,
  type Step,
} from "../script.ts"

export function minimalScripts(): Script[] {
  return samplesOf("minimal").map((sample) => ({ group: "minimal", name: sample.id, steps: stepsOf(sample) }))
}

function stepsOf(sample: Sample): Step[] {
  const { kind, name } = sample
  const namespace = `min-${kind.group.split(".")[0] || "core"}-${kind.version}-${kind.plural}`
  const collection = collectionOf(kind, namespace)
  const one = `${collection}/${name}`
  const object = objectOf(sample, "minimal")
  const own = kind.namespaced ? "" : `fieldSelector=metadata.name=${name}`
  const other = kind.kind === "ConfigMap" ? "Secret" : "ConfigMap"
  const saved = (label: string, edits: readonly Edit[], query = ""): Step => ({
    name: label,
    method: "PUT",
    path: `${one}${query}`,
    headers: json,
    from: { saved: "object", edits },
    save: { object: "" },
  })
  const stale = (label: string, edits: readonly Edit[]): Step => ({
    name: label,
    method: "PUT",
    path: one,
    headers: json,
    from: { saved: "object", edits },
  })
  const label: Edit = [["metadata", "labels", "l"], "1"]
  return [
    ...(kind.namespaced ? namespaceSteps(namespace) : []),
    post("create, dry run", `${collection}?dryRun=All`, object),
    {
      ...post("create", collection, object),
      save: { first: "metadata.resourceVersion", uid: "metadata.uid", object: "" },
    },
    post("create again", collection, object),
    get("get", one),
    get("get as a table", one, tableHeaders),
    get("get metadata", one, metadataHeaders),
    get("get as yaml", one, { accept: "application/yaml" }),
    get("list", `${collection}?${own}`),
    get("list as a table", `${collection}?${own}`, tableHeaders),
    get("list metadata", `${collection}?${own}`, {
      accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json",
    }),
    saved("put as it is", []),
    saved("put a label", [label]),
    stale("put with an old version", [[["metadata", "resourceVersion"], "1"]]),
    stale("put with another uid", [[["metadata", "uid"], "11111111-2222-3333-4444-555555555555"]]),
    stale("put another name", [[["metadata", "name"], "d-another"]]),
    stale("put without a version", [[["metadata", "resourceVersion"]]]),
    stale("put without a kind", [[["kind"]]]),
    stale("put another kind", [[["kind"], other]]),
    stale("put another version", [[["apiVersion"], "example.com/v1"]]),
    put("put null", one, null),
    put("put where nothing is", `${collection}/d-nothing`, { ...object, metadata: { name: "d-nothing" } }),
    patch("merge patch", one, "merge", { metadata: { annotations: { a: "1" } } }),
    patch("merge patch again", one, "merge", { metadata: { annotations: { a: "1" } } }),
    patch("strategic patch", one, "strategic", { metadata: { labels: { s: "1", l: null } } }),
    patch("json patch", one, "json", [{ op: "add", path: "/metadata/labels/j", value: "1" }]),
    patch("json patch whose test fails", one, "json", [{ op: "test", path: "/metadata/name", value: "x" }]),
    patch("json patch of what is not there", one, "json", [{ op: "remove", path: "/nothing" }]),
    patch("json patch that is none", one, "json", { op: "add" }),
    patch("merge patch of the kind", one, "merge", { kind: other }),
    patch("strategic patch of the kind", one, "strategic", { kind: other }),
    patch("json patch of the version", one, "json", [
      { op: "replace", path: "/apiVersion", value: "example.com/v1" },
    ]),
    patch("merge patch of the name", one, "merge", { metadata: { name: "d-another" } }),
    patch("merge patch of the version of an object", one, "merge", { metadata: { resourceVersion: "1" } }),
    patch("merge patch of an unknown field", one, "merge", { unknown: 1 }),
    patch("merge patch of an unknown field, strictly", `${one}?fieldValidation=Strict`, "merge", {
      unknown: 1,
    }),
    patch("merge patch that takes metadata away", one, "merge", { metadata: null }),
    patch("merge patch with a null", one, "merge", null),
    patch("patch of what is not there", `${collection}/d-nothing`, "merge", {}),
    patch("apply without a manager", one, "apply", object),
    patch("apply", `${one}?fieldManager=first`, "apply", {
      ...object,
      metadata: { name, labels: { owned: "a" } },
    }),
    patch("apply again", `${one}?fieldManager=first`, "apply", {
      ...object,
      metadata: { name, labels: { owned: "a" } },
    }),
    patch("apply with a conflict", `${one}?fieldManager=second`, "apply", {
      ...object,
      metadata: { name, labels: { owned: "b" } },
    }),
    patch("apply by force", `${one}?fieldManager=second&force=true`, "apply", {
      ...object,
      metadata: { name, labels: { owned: "b" } },
    }),
    patch("apply another kind", `${one}?fieldManager=first`, "apply", { ...object, kind: other }),
    patch("apply another version", `${one}?fieldManager=first`, "apply", {
      ...object,
      apiVersion: "example.com/v1",
    }),
    patch("apply nothing", `${one}?fieldManager=first`, "apply", ""),
    patch("apply where nothing is", `${collection}/d-applied?fieldManager=first&dryRun=All`, "apply", {
      ...object,
      metadata: { name: "d-applied" },
    }),
    ...statusSteps(sample, one),
    ...(kind.subresources.has("scale") ? scaleSteps(one) : []),
    get("get as a table at the end", one, tableHeaders),
    get(
      "watch from the create",
      `${collection}?watch=true&timeoutSeconds=1&resourceVersion=\${first}&fieldSelector=metadata.name=${name}`,
    ),
    post("create a generated name, dry run", `${collection}?dryRun=All`, {
      ...object,
      metadata: { generateName: "generated-" },
    }),
    post("create without a name", collection, { ...object, metadata: {} }),
    post("create with a version", `${collection}?dryRun=All`, {
      ...object,
      metadata: { name, resourceVersion: "1" },
    }),
    post("create in another namespace", `${collection}?dryRun=All`, {
      ...object,
      metadata: { name, namespace: "elsewhere" },
    }),
    post("create another kind", `${collection}?dryRun=All`, { ...object, kind: other }),
    post("create without kind and version", `${collection}?dryRun=All`, {
      ...object,
      kind: undefined,
      apiVersion: undefined,
      metadata: { name: "d-new" },
    }),
    post("create null", collection, null),
    post("create nothing", collection, ""),
    post("create text", collection, "nonsense"),
    post(
      "create from yaml",
      `${collection}?dryRun=All`,
      stringifyYaml({ ...object, metadata: { name: "d-new" } }),
      {
        "content-type": "application/yaml",
      },
    ),
    ...["Strict", "Warn", "Ignore", "Bogus"].map((mode) =>
      post(`create with an unknown field, ${mode}`, `${collection}?dryRun=All&fieldValidation=${mode}`, {
        ...object,
        metadata: { name: "d-new", unknown: 1 },
        unknown: { a: 1 },
      }),
    ),
    ...["Strict", "Warn"].map((mode) =>
      post(
        `create with a field twice, ${mode}`,
        `${collection}?dryRun=All&fieldValidation=${mode}`,
        JSON.stringify({ ...object, metadata: { name: "d-new" } }).replace('{"name"', '{"name":"x","name"'),
      ),
    ),
    post("delete by POST", one, {}),
    remove("delete, dry run", `${one}?dryRun=All`),
    remove("delete another uid", one, { preconditions: { uid: "11111111-2222-3333-4444-555555555555" } }),
    remove("delete another version", one, { preconditions: { resourceVersion: "1" } }),
    remove("delete with a bad policy", `${one}?propagationPolicy=Bogus`),
    remove("delete with both ways to orphan", one, { orphanDependents: true, propagationPolicy: "Orphan" }),
    ...(kind.verbs.includes("deletecollection")
      ? [
          remove("delete a collection, dry run", `${collection}?dryRun=All&labelSelector=owned=b`),
          remove("delete an empty collection", `${collection}?labelSelector=owned=nobody`),
        ]
      : [remove("delete a collection", collection)]),
    patch("finalizer", one, "merge", { metadata: { finalizers: ["example.com/f"] } }),
    remove("delete with a finalizer", one),
    get("get while it is deleted", one),
    patch("put a new finalizer while it is deleted", one, "merge", {
      metadata: { finalizers: ["example.com/g"] },
    }),
    patch("finish", one, "merge", { metadata: { finalizers: null } }),
    ...(kind.kind === "Namespace" ? [] : [get("get what was deleted", one)]),
    remove("delete what is not there", `${collection}/d-nothing`),
    quiet(remove("clean up", one)),
  ]
}

function statusSteps({ kind }: Sample, one: string): Step[] {
  if (!kind.subresources.has("status")) return [get("get a status that there is none of", `${one}/status`)]
  return [
    get("get status", `${one}/status`),
    { ...get("remember", one), save: { present: "" } },
    {
      name: "put status with labels",
      method: "PUT",
      path: `${one}/status`,
      headers: json,
      from: { saved: "present", edits: [[["metadata", "labels", "fromstatus"], "1"]] },
    },
    {
      name: "put an empty status",
      method: "PUT",
      path: `${one}/status`,
      headers: json,
      from: {
        saved: "present",
        edits: [[["status"], {}], [["metadata", "resourceVersion"]], [["metadata", "annotations", "s"], "1"]],
      },
    },
    patch("patch status", `${one}/status`, "merge", {
      metadata: { labels: { fromstatus: "2" } },
      status: {
        conditions: [
          {
            type: "X",
            status: "True",
            reason: "R",
            message: "m",
            lastTransitionTime: "2020-01-01T00:00:00Z",
          },
        ],
      },
    }),
    patch("apply status", `${one}/status?fieldManager=third`, "apply", {
      apiVersion: kind.apiVersion,
      kind: kind.kind,
      metadata: {},
      status: {},
    }),
    patch("patch status of an unknown field", `${one}/status`, "merge", { status: { unknown: 1 } }),
    get("get after the status", one),
  ]
}

function scaleSteps(one: string): Step[] {
  return [
    { ...get("get scale", `${one}/scale`), save: { scale: "" } },
    {
      name: "put scale",
      method: "PUT",
      path: `${one}/scale`,
      headers: json,
      from: { saved: "scale", edits: [[["spec", "replicas"], 3]] },
    },
    {
      name: "put a stale scale",
      method: "PUT",
      path: `${one}/scale`,
      headers: json,
      from: { saved: "scale", edits: [[["spec", "replicas"], 4]] },
    },
    patch("patch scale", `${one}/scale`, "merge", { spec: { replicas: 2 } }),
    patch("patch scale below zero", `${one}/scale`, "merge", { spec: { replicas: -1 } }),
    patch("patch scale with text", `${one}/scale`, "merge", { spec: { replicas: "x" } }),
    patch("apply scale", `${one}/scale?fieldManager=scaler`, "apply", {
      apiVersion: "autoscaling/v1",
      kind: "Scale",
      metadata: {},
      spec: { replicas: 5 },
    }),
    get("get after the scale", one),
  ]
}
