/** How things are asked for: selectors, pages, versions, watches, dry runs, forms, paths and methods. */
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
  type Script,
  type Step,
} from "../script.ts"

export function verbScripts(): Script[] {
  return [
    ...collections.map((one) => ({ group: "verbs", name: `lists-${one.name}`, steps: lists(one) })),
    ...collections.map((one) => ({ group: "verbs", name: `forms-${one.name}`, steps: forms(one) })),
    ...collections.map((one) => ({ group: "verbs", name: `watches-${one.name}`, steps: watches(one) })),
    ...collections.map((one) => ({ group: "verbs", name: `options-${one.name}`, steps: options(one) })),
    ...collections.map((one) => ({ group: "verbs", name: `patches-${one.name}`, steps: patches(one) })),
    { group: "verbs", name: "methods", steps: methods() },
    { group: "verbs", name: "paths", steps: paths() },
    { group: "verbs", name: "field-selectors", steps: fieldSelectors() },
    { group: "verbs", name: "accepts", steps: accepts() },
  ]
}

interface Collection {
  readonly name: string
  readonly path: string
  readonly namespace: string
  readonly body: Record<string, unknown>
}

const podTemplate = {
  metadata: { labels: { app: "a" } },
  spec: { containers: [{ name: "c", image: "nginx" }] },
}
const collections: readonly Collection[] = (
  [
    ["configmaps", "/api/v1", { data: { a: "b" } }],
    ["secrets", "/api/v1", { data: { a: "Yg==" } }],
    ["pods", "/api/v1", podTemplate],
    ["services", "/api/v1", { spec: { ports: [{ port: 80 }] } }],
    [
      "deployments",
      "/apis/apps/v1",
      { spec: { selector: { matchLabels: { app: "a" } }, template: podTemplate } },
    ],
    ["leases", "/apis/coordination.k8s.io/v1", { spec: { holderIdentity: "me" } }],
  ] as const
).map(([name, root, body]) => {
  const namespace = `verbs-${name}`
  return { name, namespace, path: `${root}/namespaces/${namespace}/${name}`, body }
})

const named = (
  one: Collection,
  suffix: string,
  index: string,
  labels: Record<string, string>,
): Record<string, unknown> => ({
  ...one.body,
  metadata: { name: `${index}-${suffix}`, labels },
})

/** Five objects; the versions of the first and the last are remembered. */
function objects(one: Collection, suffix: string): Step[] {
  return [
    ...namespaceSteps(`${one.namespace}-${suffix}`),
    ...["a", "b", "c", "d", "e"].map((index, i) => ({
      ...quiet(
        post(
          `object ${index}`,
          inNamespace(one, suffix),
          named(one, suffix, index, { n: String(i), even: String(i % 2 === 0) }),
        ),
      ),
      save: { [`rv${index}`]: "metadata.resourceVersion" },
    })),
  ]
}

function inNamespace(one: Collection, suffix: string): string {
  return one.path.replace(`/${one.namespace}/`, `/${one.namespace}-${suffix}/`)
}

const labelSelectors = [
  "n=1",
  "n==1",
  "n!=1",
  "n in (1,2)",
  "n notin (1,2)",
  "n",
  "!n",
  "even=true,n!=0",
  "n>1",
  "n<3",
  "n>x",
  "n in ()",
  "n=",
  "n in (1",
  "=1",
  "a/b/c=1",
  "n=%20",
  "n=1,,",
  "Bad Key=1",
  "n=bad value",
  "x".repeat(70),
  "n in (1,2),n notin (2)",
  ",",
  "n===1",
  "!n,n",
  "n gt 1",
]
const fieldSelectorTexts = [
  "metadata.name=a-lists",
  "metadata.name!=a-lists",
  "metadata.name==b-lists",
  "metadata.namespace=x",
  "metadata.uid=1",
  "spec.x=1",
  "metadata.name",
  "metadata.name=a-lists,metadata.name=b-lists",
  "metadata.name=a\\,b",
  "metadata.name=",
  "=a",
  "metadata.name in (a)",
  ",",
]

function lists(one: Collection): Step[] {
  const at = inNamespace(one, "lists")
  const q = (query: string): string => `${at}?${query}`
  const sel = (text: string): string => encodeURIComponent(text)
  return [
    ...objects(one, "lists"),
    ...labelSelectors.map((text) => get(`labels ${text}`, q(`labelSelector=${sel(text)}`), metadataHeaders2)),
    ...fieldSelectorTexts.map((text) =>
      get(`fields ${text}`, q(`fieldSelector=${sel(text)}`), metadataHeaders2),
    ),
    ...["1", "2", "5", "6", "0", "-1", "", "x", "9223372036854775807", "9223372036854775808", "1.5"].map(
      (limit) => get(`limit "${limit}"`, q(`limit=${limit}`), metadataHeaders2),
    ),
    { ...get("page one", q("limit=2")), save: { next: "metadata.continue" } },
    { ...get("page two", q("limit=2&continue=${next}")), save: { last: "metadata.continue" } },
    get("page three", q("limit=2&continue=${last}")),
    get("continue with a selector", q("limit=1&labelSelector=n!=9&continue=${next}"), metadataHeaders2),
    get("continue with a version", q("limit=2&continue=${next}&resourceVersion=${rva}")),
    get("continue with version 0", q("limit=2&continue=${next}&resourceVersion=0")),
    get("continue with a match", q("limit=2&continue=${next}&resourceVersionMatch=Exact")),
    get("continue nonsense", q("limit=2&continue=nonsense")),
    get("continue bad json", q(`limit=2&continue=${Buffer.from("{}").toString("base64url")}`)),
    get("page as a table", q("limit=2"), tableHeaders),
    get("page of one by name", q("limit=1&fieldSelector=metadata.name=a-lists"), metadataHeaders2),
    get("page of one by label", q("limit=1&labelSelector=even=true"), metadataHeaders2),
    ...["", "0", "1", "${rva}", "${rvc}", "${rve}", "x", "-1", "99999999"].flatMap((version) =>
      ["", "Exact", "NotOlderThan", "Bogus"].map((match) =>
        get(
          `version ${version} ${match}`,
          q(`resourceVersion=${version}${match === "" ? "" : `&resourceVersionMatch=${match}`}`),
          metadataHeaders2,
        ),
      ),
    ),
    get("version 0, a page", q("resourceVersion=0&limit=2"), metadataHeaders2),
    get(
      "an exact version, a page",
      q("resourceVersion=${rvc}&resourceVersionMatch=Exact&limit=2"),
      metadataHeaders2,
    ),
    get("a match alone", q("resourceVersionMatch=Exact")),
    ...["0", "${rva}", "x", "99999999"].map((version) =>
      get(`get at ${version}`, `${at}/a-lists?resourceVersion=${version}`),
    ),
    get("unknown parameter", q("unknown=1"), metadataHeaders2),
    get("pretty", q("pretty=true&labelSelector=n=1")),
    get("pretty in another word", q("pretty=1&labelSelector=n=1")),
    get("send initial events without watch", q("sendInitialEvents=true")),
    get("a time-out", q("timeoutSeconds=x"), metadataHeaders2),
    get("a time-out below zero", q("timeoutSeconds=-1"), metadataHeaders2),
    get("bookmarks in another word", q("allowWatchBookmarks=maybe"), metadataHeaders2),
    get("watch in another word", q("watch=maybe&limit=1&timeoutSeconds=1")),
    get("shard selector", q("shardSelector=x"), metadataHeaders2),
  ]
}

const metadataHeaders2 = {
  accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json",
}

function forms(one: Collection): Step[] {
  const at = inNamespace(one, "forms")
  const acceptTexts = [
    "application/json",
    "*/*",
    "application/*",
    "application/yaml",
    "text/html",
    "text/plain",
    "bogus",
    "",
    "application/json;q=0.5,application/yaml",
    "application/yaml,application/json",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=Table;v=v1beta1;g=meta.k8s.io",
    "application/json;as=Table;v=v9;g=meta.k8s.io",
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadata;v=v1beta1;g=meta.k8s.io",
    "application/json;as=Bogus;v=v1;g=meta.k8s.io",
    "application/yaml;as=Table;v=v1;g=meta.k8s.io",
    "application/json;stream=watch",
    "application/json;pretty=1",
    "application/json;charset=utf-8",
    "application/json;as=Table;g=meta.k8s.io",
    "application/cbor",
    "text/html,application/xhtml+xml,*/*;q=0.8",
    "APPLICATION/JSON",
    "application/json, */*",
  ]
  const contentTypes = [
    "application/json",
    "application/json; charset=utf-8",
    "application/yaml",
    "text/plain",
    "",
    "bogus",
    "application/xml",
    "APPLICATION/JSON",
    "application/cbor",
    "application/merge-patch+json",
    "application/json;as=Table",
    "application/x-www-form-urlencoded",
    "text/yaml",
    "application/apply-patch+yaml",
    "*/*",
  ]
  return [
    ...objects(one, "forms"),
    ...acceptTexts.flatMap((accept) => [
      get(`get as ${accept}`, `${at}/a-forms`, { accept }),
      get(`list as ${accept}`, `${at}?labelSelector=n=1`, { accept }),
      {
        ...post(`create as ${accept}`, `${at}?dryRun=All`, named(one, "new", "x", {})),
        headers: { ...json, accept },
      },
      get(`watch as ${accept}`, `${at}?watch=true&resourceVersion=\${rvd}&timeoutSeconds=1`, { accept }),
      { ...remove(`delete as ${accept}`, `${at}/a-forms?dryRun=All`), headers: { accept } },
      get(`nothing as ${accept}`, `${at}/nothing`, { accept }),
    ]),
    ...["Object", "Metadata", "None", "Bogus", ""].flatMap((include) => [
      get(
        `table of a list with ${include}`,
        `${at}?includeObject=${include}&labelSelector=n=1`,
        tableHeaders,
      ),
      get(`table of one with ${include}`, `${at}/a-forms?includeObject=${include}`, tableHeaders),
    ]),
    ...contentTypes.flatMap((type) => [
      post(
        `create from ${type}`,
        `${at}?dryRun=All`,
        named(one, "new", "x", {}),
        type === "" ? {} : { "content-type": type },
      ),
      {
        name: `patch from ${type}`,
        method: "PATCH",
        path: `${at}/a-forms?dryRun=All`,
        headers: type === "" ? {} : { "content-type": type },
        body: { metadata: { labels: { x: "y" } } },
      } as Step,
      {
        name: `delete from ${type}`,
        method: "DELETE",
        path: `${at}/a-forms?dryRun=All`,
        headers: type === "" ? {} : { "content-type": type },
        body: { kind: "DeleteOptions", apiVersion: "v1" },
      } as Step,
    ]),
  ]
}

function watches(one: Collection): Step[] {
  const at = inNamespace(one, "watches")
  const w = (name: string, query: string, headers?: Record<string, string>): Step =>
    get(name, `${at}?watch=true&timeoutSeconds=1&${query}`, headers)
  return [
    ...objects(one, "watches"),
    quiet(patch("change", `${at}/b-watches`, "merge", { metadata: { labels: { n: "9" } } })),
    quiet(remove("gone", `${at}/c-watches?gracePeriodSeconds=0`)),
    w("from the first", "resourceVersion=${rva}"),
    w("from version 0", "resourceVersion=0"),
    w("from no version", ""),
    w("by label", "resourceVersion=${rva}&labelSelector=n=1"),
    w("by another label", "resourceVersion=${rva}&labelSelector=n=9"),
    w("by name", "resourceVersion=${rva}&fieldSelector=metadata.name=d-watches"),
    w("as a table", "resourceVersion=${rvd}", tableHeaders),
    w("as metadata", "resourceVersion=${rva}", metadataHeaders),
    w("with bookmarks", "resourceVersion=${rve}&allowWatchBookmarks=true"),
    w("initial events", "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"),
    w("initial events, no bookmarks", "sendInitialEvents=true&resourceVersionMatch=NotOlderThan"),
    w(
      "initial events, malformed bookmarks",
      "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=maybe",
    ),
    w("initial events without a match", "sendInitialEvents=true"),
    w("initial events, exact", "sendInitialEvents=true&resourceVersionMatch=Exact"),
    w(
      "no initial events",
      "sendInitialEvents=false&resourceVersionMatch=NotOlderThan&resourceVersion=${rvd}",
    ),
    w("a match alone", "resourceVersionMatch=NotOlderThan"),
    w("continue", "continue=x"),
    w("limit", "limit=1&resourceVersion=${rvd}"),
    w("a version that is none", "resourceVersion=x"),
    w("a version to come", "resourceVersion=99999999"),
    w("an old version", "resourceVersion=1"),
    w("a bad selector", "labelSelector=n in ("),
    w("a bad field", "fieldSelector=spec.nothing=1"),
    get("one", `${at}/a-watches?watch=true&timeoutSeconds=1&resourceVersion=\${rva}`),
    get("by the old path", `${at.replace("/v1/", "/v1/watch/")}?timeoutSeconds=1&resourceVersion=\${rvd}`),
    get(
      "one by the old path",
      `${at.replace("/v1/", "/v1/watch/")}/d-watches?timeoutSeconds=1&resourceVersion=\${rvc}`,
    ),
    w("pretty", "resourceVersion=${rvd}&pretty=true"),
  ]
}

function options(one: Collection): Step[] {
  const at = inNamespace(one, "options")
  const body = named(one, "new", "x", {})
  const queries = [
    "dryRun=All",
    "dryRun=",
    "dryRun=Bogus",
    "dryRun=All&dryRun=All",
    "dryRun=all",
    "fieldManager=",
    "fieldManager=m",
    `fieldManager=${"x".repeat(129)}`,
    "fieldManager=%01",
    "fieldValidation=",
    "fieldValidation=strict",
    "fieldValidation=Strict",
    "force=true",
    "force=x",
    "pretty=x",
    "unknown=1",
    "resourceVersion=1",
    "timeout=x",
    "timeout=1h",
    "timeout=",
  ]
  const deletions = [
    "propagationPolicy=",
    "propagationPolicy=Foreground",
    "propagationPolicy=Background",
    "propagationPolicy=Orphan",
    "propagationPolicy=foreground",
    "gracePeriodSeconds=0",
    "gracePeriodSeconds=-1",
    "gracePeriodSeconds=x",
    "gracePeriodSeconds=",
    "gracePeriodSeconds=5",
    "orphanDependents=true",
    "orphanDependents=false",
    "orphanDependents=x",
    "orphanDependents=true&propagationPolicy=Orphan",
    "preconditions.uid=x",
    "dryRun=",
    "dryRun=Bogus",
    "ignoreStoreReadErrorWithClusterBreakingPotential=true",
  ]
  const bodies: readonly [string, Record<string, unknown> | string | null][] = [
    ["empty", {}],
    ["null", null],
    ["text", "x"],
    ["another kind", { kind: "Pod", apiVersion: "v1" }],
    ["core", { kind: "DeleteOptions", apiVersion: "v1" }],
    ["meta", { kind: "DeleteOptions", apiVersion: "meta.k8s.io/v1" }],
    ["policy", { kind: "DeleteOptions", apiVersion: "policy/v1" }],
    ["apps", { kind: "DeleteOptions", apiVersion: "apps/v1" }],
    ["nonsense", { kind: "DeleteOptions", apiVersion: "none/v9" }],
    ["grace", { gracePeriodSeconds: 3 }],
    ["negative grace", { gracePeriodSeconds: -3 }],
    ["grace in text", { gracePeriodSeconds: "3" }],
    ["foreground", { propagationPolicy: "Foreground" }],
    ["bogus", { propagationPolicy: "Bogus" }],
    ["empty policy", { propagationPolicy: "" }],
    ["orphan", { orphanDependents: true }],
    ["both", { orphanDependents: true, propagationPolicy: "Foreground" }],
    ["dry run", { dryRun: ["All"] }],
    ["bad dry run", { dryRun: ["x"] }],
    ["uid", { preconditions: { uid: "11111111-2222-3333-4444-555555555555" } }],
    ["version", { preconditions: { resourceVersion: "1" } }],
    ["unknown", { unknown: 1 }],
  ]
  return [
    ...objects(one, "options"),
    ...queries.flatMap((query) => [
      post(
        `create ${query.slice(0, 40)}`,
        `${at}?${query.includes("dryRun") ? query : `${query}&dryRun=All`}`,
        body,
      ),
      put(`put ${query.slice(0, 40)}`, `${at}/a-options?${query}`, named(one, "options", "a", { put: "1" })),
      patch(`patch ${query.slice(0, 40)}`, `${at}/a-options?${query}`, "merge", {
        metadata: { labels: { patched: "1" } },
      }),
      patch(`apply ${query.slice(0, 40)}`, `${at}/d-options?${query}`, "apply", {
        apiVersion: one.path.startsWith("/api/") ? "v1" : one.path.split("/").slice(2, 4).join("/"),
        kind: {
          configmaps: "ConfigMap",
          secrets: "Secret",
          pods: "Pod",
          services: "Service",
          deployments: "Deployment",
          leases: "Lease",
        }[one.name]!,
        metadata: { name: "d-options", labels: { applied: "1" } },
      }),
    ]),
    ...deletions.map((query) =>
      remove(
        `delete ${query}`,
        `${at}/b-options?${query.includes("dryRun") ? query : `${query}&dryRun=All`}`,
      ),
    ),
    ...bodies.flatMap(([name, sent]) => [
      remove(`delete with ${name}`, `${at}/c-options?dryRun=All`, sent),
      remove(`delete all with ${name}`, `${at}?dryRun=All&labelSelector=n=3`, sent),
    ]),
    remove("delete in the foreground", `${at}/e-options?propagationPolicy=Foreground`),
    get("get what waits for its dependents", `${at}/e-options`),
  ]
}

function patches(one: Collection): Step[] {
  const at = inNamespace(one, "patches")
  const target = `${at}/a-patches`
  const jsonPatches: readonly unknown[] = [
    [{ op: "add", path: "/metadata/labels/a", value: "1" }],
    [{ op: "replace", path: "/metadata/labels/n", value: "2" }],
    [{ op: "replace", path: "/metadata/labels/none", value: "2" }],
    [{ op: "remove", path: "/metadata/labels/none" }],
    [{ op: "copy", from: "/metadata/labels/n", path: "/metadata/labels/m" }],
    [{ op: "move", from: "/metadata/labels/m", path: "/metadata/labels/k" }],
    [{ op: "test", path: "/metadata/labels/n", value: "2" }],
    [{ op: "test", path: "/metadata/labels/n", value: "3" }],
    [{ op: "bogus", path: "/x" }],
    [{ op: "add", path: "x", value: 1 }],
    [{ op: "add", value: 1 }],
    [{ op: "add", path: "/metadata/labels/x" }],
    [{}],
    [],
    null,
    "x",
    [1],
    [{ op: "add", path: "/metadata/finalizers/-", value: "a.b/c" }],
    [{ op: "add", path: "", value: {} }],
    [{ op: "remove", path: "" }],
    [{ op: "add", path: "/metadata/labels/a~1b", value: "1" }],
    [{ op: "add", path: "/metadata/labels", value: 5 }],
    [{ op: "replace", path: "/metadata", value: null }],
    [{ op: "add", path: "/metadata/annotations/a", value: "1" }],
    [{ op: "replace", path: "/kind", value: "Other" }],
    [{ op: "remove", path: "/kind" }],
    [{ op: "remove", path: "/apiVersion" }],
    [{ op: "remove", path: "/metadata/name" }],
  ]
  const merges: readonly unknown[] = [
    {},
    null,
    [],
    "x",
    5,
    { metadata: { labels: null } },
    { metadata: { labels: { a: null, b: "1" } } },
    { metadata: { labels: [] } },
    { metadata: 5 },
    { kind: null },
    { apiVersion: "x/v1" },
    { kind: "Other" },
    { kind: 5 },
    { metadata: { name: null } },
    { metadata: { namespace: "other" } },
    { metadata: { uid: "x" } },
    { metadata: { resourceVersion: "" } },
    { metadata: { resourceVersion: "x" } },
    { metadata: { creationTimestamp: null } },
    { metadata: { finalizers: [null] } },
    { metadata: { finalizers: ["bad"] } },
    { metadata: { ownerReferences: [{}] } },
    { metadata: { managedFields: null } },
    { metadata: { managedFields: [] } },
    { metadata: { managedFields: [{}] } },
    { spec: "x", data: 5 },
    { unknown: {} },
    { metadata: { deletionTimestamp: "2020-01-01T00:00:00Z" } },
    { metadata: { generateName: "x" } },
    { metadata: { annotations: { $patch: "delete" } } },
    { metadata: { labels: { $patch: "replace", z: "1" } } },
    { metadata: { $retainKeys: ["name"] } },
    { metadata: { "$setElementOrder/finalizers": ["a.b/c"], finalizers: ["a.b/c"] } },
    { metadata: { "$deleteFromPrimitiveList/finalizers": ["a.b/c"] } },
  ]
  const applied = (metadata: Record<string, unknown>): Record<string, unknown> => ({ ...one.body, metadata })
  const applies: readonly unknown[] = [
    {},
    null,
    [],
    5,
    applied({ name: "a-patches" }),
    applied({ name: "other" }),
    applied({ name: "a-patches", namespace: "other" }),
    applied({ name: "a-patches", managedFields: [] }),
    applied({ name: "a-patches", managedFields: [{}] }),
    applied({ name: "a-patches", resourceVersion: "1" }),
    applied({ name: "a-patches", uid: "x" }),
    applied({ name: "a-patches", labels: { l: 5 } }),
    applied({}),
    { ...applied({ name: "a-patches" }), unknown: 1 },
  ]
  const version = one.path.startsWith("/api/") ? "v1" : one.path.split("/").slice(2, 4).join("/")
  const kind = {
    configmaps: "ConfigMap",
    secrets: "Secret",
    pods: "Pod",
    services: "Service",
    deployments: "Deployment",
    leases: "Lease",
  }[one.name]!
  return [
    ...objects(one, "patches"),
    ...jsonPatches.map((body, i) => patch(`json ${i}`, target, "json", body as never)),
    ...merges.map((body, i) => patch(`merge ${i}`, `${at}/b-patches`, "merge", body as never)),
    ...merges.map((body, i) => patch(`strategic ${i}`, `${at}/d-patches`, "strategic", body as never)),
    ...applies.map((body, i) =>
      patch(`apply ${i} without a kind`, `${target}?fieldManager=m`, "apply", body as never),
    ),
    ...applies.slice(4).map((body, i) =>
      patch(`apply ${i}`, `${target}?fieldManager=m`, "apply", {
        apiVersion: version,
        kind,
        ...(body as object),
      }),
    ),
    patch("apply text", `${target}?fieldManager=m`, "apply", "nonsense"),
    patch("apply bad yaml", `${target}?fieldManager=m`, "apply", "a: [b"),
    patch(
      "apply twice the same key",
      `${target}?fieldManager=m`,
      "apply",
      `apiVersion: ${version}\nkind: ${kind}\nmetadata:\n  name: a-patches\n  name: a-patches\n`,
    ),
    patch("bad json", target, "merge", "{"),
    patch("bad json for a json patch", target, "json", "["),
    patch("bad json for a strategic patch", target, "strategic", '{"a":'),
    get("get after it all", target),
    get("list after it all", `${at}?labelSelector=n`),
  ]
}

function methods(): Step[] {
  const list = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]
  const targets = [
    "/",
    "/api",
    "/api/v1",
    "/apis",
    "/apis/apps",
    "/apis/apps/v1",
    "/version",
    "/healthz",
    "/livez",
    "/readyz",
    "/openapi/v3",
    "/openapi/v2?x=1",
    "/metrics/x",
    "/nothing",
    "/api/v1/nothing",
    "/api/v1/namespaces/default/configmaps",
    "/api/v1/namespaces/default/configmaps/nothing",
    "/api/v1/configmaps",
    "/api/v1/namespaces/nothing",
    "/api/v1/namespaces/nothing/status",
    "/api/v1/namespaces/nothing/finalize",
    "/api/v1/namespaces/default/pods/nothing/log",
    "/api/v1/namespaces/default/pods/nothing/binding",
    "/api/v1/namespaces/default/pods/nothing/eviction",
    "/api/v1/namespaces/default/bindings",
    "/api/v1/componentstatuses",
    "/api/v1/componentstatuses/nothing",
    "/apis/apps/v1/namespaces/default/deployments/nothing/scale",
    "/apis/apps/v1/namespaces/default/deployments/nothing/nothing",
    "/apis/authorization.k8s.io/v1/subjectaccessreviews",
    "/apis/authorization.k8s.io/v1/subjectaccessreviews/x",
    "/api/v1/namespaces/default/serviceaccounts/nothing/token",
    "/openid/v1/jwks/x",
    "/api/v1/nodes/nothing/proxy",
    "/api/v1/nodes/nothing/proxy/x",
    "/api/v1/namespaces/default/services/nothing/proxy",
    "/api/v1/namespaces/default/pods/nothing/exec",
    "/readyz/ping",
    "/api/v1/namespaces/default/configmaps/a/b/c",
  ]
  return targets.flatMap((path) =>
    list.map((method): Step => {
      if (
        method === "HEAD" ||
        method === "GET" ||
        method === "OPTIONS" ||
        method === "TRACE" ||
        method === "PROPFIND"
      )
        return {
          name: `${method} ${path}`,
          method,
          path,
        }
      const type = method === "PATCH" ? "application/merge-patch+json" : "application/json"
      return {
        name: `${method} ${path}`,
        method,
        path: path.includes("?") ? path : `${path}?dryRun=All`,
        headers: { "content-type": type },
        body: {},
      }
    }),
  )
}

function paths(): Step[] {
  const list = [
    "/api/v1/namespaces/default/configmaps/",
    "/api/v1//namespaces/default/configmaps",
    "//api/v1/configmaps",
    "/api/v1/namespaces//configmaps",
    "/api/v1/namespaces/default//configmaps",
    "/api/v1/namespaces/default/configmaps//x",
    "/api/v1/namespaces/default",
    "/api/v1/namespaces/default/",
    "/api/v1/namespaces/default/nothing",
    "/api/v1/namespaces/none/configmaps",
    "/api/v1/namespaces/Bad_Name/configmaps",
    "/api/v1/namespaces/default/configmaps/%2e%2e",
    "/api/v1/namespaces/default/configmaps/a%2Fb",
    "/api/v1/namespaces/default/configmaps/%00",
    "/api/v1/../v1/nodes",
    "/api/v1/./nodes",
    "/API/V1/nodes",
    "/api/v1/Nodes",
    "/api/v1/nodes/",
    "/api/v1/nodes/x/status/y",
    "/api/v1/namespaces/default/nodes",
    "/api/v1/namespaces/default/namespaces/default",
    "/api/v1/namespaces/default/persistentvolumes/x",
    "/apis/rbac.authorization.k8s.io/v1/namespaces/default/clusterroles",
    "/apis/storage.k8s.io/v1/namespaces/default/storageclasses/x",
    "/api/v1/configmaps/x",
    "/api/v1/pods/x",
    "/api/v1/secrets/x/status",
    "/apis/apps/v1/deployments/x",
    "/apis/apps/v1/deployments/x/scale",
    "/apis/apps/v1beta1/deployments",
    "/apis/extensions/v1beta1/ingresses",
    "/apis/none.example.com/v1/things",
    "/apis/apps",
    "/apis//v1",
    "/apis/apps/v1/",
    "/apis/apps/v2",
    "/api/v2",
    "/api/",
    "/apis/",
    "/api/v1/proxy/nodes/x",
    "/api/v1/redirect/nodes/x",
    "/api/v1/watch",
    "/api/v1/watch/",
    "/healthz/",
    "/version/",
    "/version/x",
    "/metrics/",
    "/openapi/v2/",
    "/openapi/v3/",
    "/openapi/v3/api",
    "/openapi/v3/nothing",
    "/openapi",
    "/swagger.json",
    "/ui",
    "/debug/pprof/",
    "/debug/flags",
    "/debug/api_priority_and_fairness/",
    "/logs",
    "/logs/",
    "/metrics/slis",
    "/flagz",
    "/statusz",
    "/.well-known",
    "/.well-known/nothing",
    "/openid/v1",
    "/api/v1/namespaces/default/pods/x/nothing",
    "/api/v1/namespaces/default/pods/x/log/y",
    "/api/v1/namespaces/default/services/x/proxy/",
    "/robots.txt",
    "/favicon.ico",
    "/api/v1/componentstatuses/scheduler",
    "/api/v1/componentstatuses/controller-manager",
    "/api/v1/componentstatuses/etcd-0",
    "/index.html",
    "/apis/policy/v1beta1",
    "/api?x",
    "/api/v1?x",
  ]
  return list.flatMap((path) => [
    {
      ...get(path, path),
      ...(path.startsWith("/metrics") ? { metrics: true } : {}),
    },
    ...(path.startsWith("/openapi") || path.startsWith("/metrics") || path.startsWith("/debug")
      ? []
      : [remove(`DELETE ${path}`, `${path}${path.includes("?") ? "&" : "?"}dryRun=All`)]),
  ])
}

function fieldSelectors(): Step[] {
  const resources = [
    "/api/v1/pods",
    "/api/v1/nodes",
    "/api/v1/namespaces",
    "/api/v1/events",
    "/api/v1/secrets",
    "/api/v1/services",
    "/api/v1/replicationcontrollers",
    "/apis/apps/v1/replicasets",
    "/apis/apps/v1/deployments",
    "/apis/batch/v1/jobs",
    "/api/v1/persistentvolumes",
    "/apis/certificates.k8s.io/v1/certificatesigningrequests",
    "/apis/certificates.k8s.io/v1/clustertrustbundles",
    "/apis/certificates.k8s.io/v1/podcertificaterequests",
    "/apis/resource.k8s.io/v1/resourceslices",
    "/apis/resource.k8s.io/v1/resourceclaims",
    "/apis/networking.k8s.io/v1/ipaddresses",
    "/apis/events.k8s.io/v1/events",
    "/apis/policy/v1/poddisruptionbudgets",
    "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
    "/apis/apiregistration.k8s.io/v1/apiservices",
    "/api/v1/persistentvolumeclaims",
    "/api/v1/endpoints",
    "/apis/storage.k8s.io/v1/volumeattachments",
    "/apis/batch/v1/cronjobs",
  ]
  const fields = [
    "metadata.name",
    "metadata.namespace",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.podIPs",
    "status.nominatedNodeName",
    "spec.unschedulable",
    "type",
    "involvedObject.kind",
    "involvedObject.uid",
    "reason",
    "reportingComponent",
    "source",
    "regarding.kind",
    "regarding.name",
    "status.replicas",
    "status.successful",
    "spec.signerName",
    "spec.driver",
    "spec.clusterIP",
    "spec.type",
    "name",
    "spec.parentRef.name",
    "metadata.uid",
    "metadata.labels",
    "spec",
    "involvedObject.fieldPath",
    "spec.group",
    "status.active",
  ]
  return resources.flatMap((path) =>
    fields.map((field) => get(`${path} ${field}`, `${path}?fieldSelector=${field}=d-none`)),
  )
}

function accepts(): Step[] {
  const list = [
    "application/yaml",
    "text/html",
    "bogus",
    "*/*",
    "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/vnd.kubernetes.protobuf",
    "text/plain",
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/*",
    "",
  ]
  const targets = [
    "/api",
    "/apis",
    "/api/v1",
    "/apis/apps",
    "/apis/apps/v1",
    "/version",
    "/healthz",
    "/",
    "/nothing",
    "/api/v1/nothing",
    "/apis/none.example.com/v1",
    "/openapi/v3",
  ]
  return targets.flatMap((path) =>
    list
      .filter((accept) => !accept.includes("protobuf") || path === "/nothing")
      .map((accept) => get(`${path} ${accept}`, path, { accept })),
  )
}
