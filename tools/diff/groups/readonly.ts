/** What a server says of itself: discovery, OpenAPI, columns, health, metrics, first objects, reviews. */
import { samplesOf } from "../objects.ts"
import { get, post, quiet, tableHeaders, type Script, type Step } from "../script.ts"

const samples = samplesOf("readonly")
const aggregated = (version: string): Record<string, string> => ({
  accept: `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
})
const groups = [...new Set(samples.map(({ kind }) => kind.group))].filter((group) => group !== "")
const groupVersions = [...new Set(samples.map(({ kind }) => kind.apiVersion))]
const rootOf = (apiVersion: string): string => (apiVersion === "v1" ? "/api/v1" : `/apis/${apiVersion}`)
const reviewVersions = ["authentication.k8s.io/v1", "authorization.k8s.io/v1"]
const allVersions = [...new Set([...groupVersions, ...reviewVersions])]

export function readonlyScripts(): Script[] {
  return [
    { group: "readonly", name: "discovery", steps: discovery() },
    { group: "readonly", name: "openapi", steps: openApi() },
    { group: "readonly", name: "columns", steps: columns() },
    { group: "readonly", name: "health", steps: health() },
    { group: "readonly", name: "first-objects", steps: firstObjects() },
    { group: "readonly", name: "reviews", steps: reviews() },
  ]
}

function discovery(): Step[] {
  const paths = [
    "/",
    "/api",
    "/apis",
    "/version",
    ...[...groups, "authentication.k8s.io", "authorization.k8s.io"].map((group) => `/apis/${group}`),
    ...allVersions.map(rootOf),
    "/apis/none.example.com",
    "/apis/apps/v9",
    "/api/v9",
  ]
  const list = (path: string): string[] =>
    path === "/"
      ? ["paths"]
      : path === "/apis"
        ? ["groups"]
        : path.split("/").length > 3 || path === "/api/v1"
          ? ["resources"]
          : []
  return [
    ...paths.flatMap((path) => [
      { ...get(`${path}`, path), pieces: list(path) },
      { ...get(`${path} with a slash`, `${path}/`), pieces: list(path) },
    ]),
    ...["/api", "/apis"].flatMap((path) =>
      ["v2", "v2beta1", "v9"].map((version) => ({
        ...get(`${path} aggregated ${version}`, path, aggregated(version)),
        pieces: ["items"],
      })),
    ),
    get("/openid/v1/jwks", "/openid/v1/jwks/x"),
    get("/.well-known/openid-configuration", "/.well-known/openid-configuration"),
  ]
}

function openApi(): Step[] {
  const documents = [
    "api",
    "api/v1",
    "apis",
    ...[...groups, "authentication.k8s.io", "authorization.k8s.io"].map((group) => `apis/${group}`),
    ...allVersions.filter((one) => one !== "v1").map((one) => `apis/${one}`),
    "version",
    "openid/v1/jwks",
    ".well-known/openid-configuration",
  ]
  return [
    { ...get("v2", "/openapi/v2"), pieces: ["paths", "definitions"] },
    { ...get("v3 index", "/openapi/v3"), pieces: ["paths"] },
    ...documents.map((name) => ({
      ...get(`v3 ${name}`, `/openapi/v3/${name}`),
      pieces: ["paths", "components.schemas"],
    })),
    get("v3 none", "/openapi/v3/apis/none.example.com/v1"),
  ]
}

function columns(): Step[] {
  return samples.map(({ kind, id }) => ({
    ...get(id, `${rootOf(kind.apiVersion)}/${kind.plural}?limit=1&labelSelector=d-none`, tableHeaders),
    pieces: ["columnDefinitions"],
  }))
}

function health(): Step[] {
  return [
    ...["healthz", "livez", "readyz"].flatMap((name) => [
      get(name, `/${name}`),
      get(`${name} verbose`, `/${name}?verbose`),
      get(`${name} without ping`, `/${name}?verbose&exclude=ping`),
      get(`${name} without what is not there`, `/${name}?verbose&exclude=nothing`),
      get(`${name}/ping`, `/${name}/ping`),
      get(`${name}/etcd`, `/${name}/etcd`),
      get(`${name}/log`, `/${name}/log`),
      get(`${name}/nothing`, `/${name}/nothing`),
    ]),
    // What has labels is there when it was counted.
    quiet(get("a list", "/api/v1/namespaces")),
    quiet(
      get(
        "a watch",
        "/apis/rbac.authorization.k8s.io/v1/clusterroles?watch=true&timeoutSeconds=1" +
          "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true",
      ),
    ),
    quiet(
      post("a write", "/api/v1/namespaces?dryRun=All", {
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name: "metrics" },
      }),
    ),
    { ...get("metrics", "/metrics"), metrics: true },
    get("nothing", "/nothing"),
  ]
}

function firstObjects(): Step[] {
  return [
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/rbac.authorization.k8s.io/v1/roles",
    "/apis/rbac.authorization.k8s.io/v1/rolebindings",
    "/apis/scheduling.k8s.io/v1/priorityclasses",
    "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
    "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations",
    "/apis/apiregistration.k8s.io/v1/apiservices",
    "/apis/networking.k8s.io/v1/servicecidrs",
    "/apis/networking.k8s.io/v1/ipaddresses",
    "/api/v1/namespaces",
    "/api/v1/services",
  ].map((path) => ({ ...get(path, path), pieces: ["items"] }))
}

function reviews(): Step[] {
  const access = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
  const users: readonly { user: string; groups: string[] }[] = [
    { user: "admin", groups: ["system:masters"] },
    { user: "nobody", groups: ["system:authenticated"] },
    { user: "system:anonymous", groups: ["system:unauthenticated"] },
    { user: "system:kube-scheduler", groups: ["system:authenticated"] },
    { user: "system:kube-controller-manager", groups: ["system:authenticated"] },
    { user: "system:serviceaccount:kube-system:deployment-controller", groups: ["system:serviceaccounts"] },
    { user: "system:node:n", groups: ["system:nodes"] },
  ]
  const asks: readonly Record<string, unknown>[] = [
    { resourceAttributes: { verb: "get", resource: "pods", namespace: "default" } },
    { resourceAttributes: { verb: "list", resource: "secrets" } },
    {
      resourceAttributes: {
        verb: "update",
        resource: "deployments",
        group: "apps",
        subresource: "status",
        namespace: "x",
      },
    },
    { resourceAttributes: { verb: "*", resource: "*", group: "*" } },
    {
      resourceAttributes: { verb: "create", resource: "pods", subresource: "binding", namespace: "default" },
    },
    { nonResourceAttributes: { verb: "get", path: "/healthz" } },
    { nonResourceAttributes: { verb: "get", path: "/metrics" } },
    { nonResourceAttributes: { verb: "post", path: "/api" } },
  ]
  return [
    ...users.flatMap((user) =>
      asks.map((ask, i) =>
        post(`${user.user} ${i}`, access, {
          apiVersion: "authorization.k8s.io/v1",
          kind: "SubjectAccessReview",
          spec: { ...user, ...ask },
        }),
      ),
    ),
    ...[
      {},
      { spec: {} },
      { spec: { user: "u" } },
      { spec: { ...asks[0] } },
      { spec: { user: "u", ...asks[0], ...asks[5] } },
      { metadata: { name: "x" }, spec: { user: "u", ...asks[0] } },
      {
        spec: {
          user: "u",
          resourceAttributes: { verb: "get", resource: "pods", labelSelector: { rawSelector: "a=b" } },
        },
      },
      {
        spec: {
          user: "u",
          resourceAttributes: { verb: "get", resource: "pods", fieldSelector: { requirements: [{}] } },
        },
      },
    ].map((body, i) => post(`access review ${i}`, access, body)),
    ...asks.map((ask, i) =>
      post(`self ${i}`, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", { spec: ask }),
    ),
    post("self nothing", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", { spec: {} }),
    post("local", "/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews", {
      metadata: { namespace: "default" },
      spec: { user: "nobody", ...asks[0] },
    }),
    post("local elsewhere", "/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews", {
      spec: { user: "nobody", resourceAttributes: { verb: "get", resource: "pods", namespace: "x" } },
    }),
    ...users
      .filter(({ user }) => user !== "admin")
      .map(({ user, groups }) => {
        const step = post(`rules of ${user}`, "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {
          spec: { namespace: "default" },
        })
        const as: Record<string, string> = {
          ...step.headers,
          "impersonate-user": user,
          "impersonate-group": groups[0]!,
        }
        return { ...step, headers: as }
      }),
    post("rules nowhere", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", { spec: {} }),
    post("who", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}),
    post("who, dry run", "/apis/authentication.k8s.io/v1/selfsubjectreviews?dryRun=All", {}),
    post("token", "/apis/authentication.k8s.io/v1/tokenreviews", { spec: { token: "nonsense" } }),
    post("no token", "/apis/authentication.k8s.io/v1/tokenreviews", { spec: {} }),
    get("reviews cannot be read", "/apis/authentication.k8s.io/v1/tokenreviews"),
  ]
}
