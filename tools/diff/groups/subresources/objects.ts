/** Services, namespaces, scale, and objects with owners and finalizers. */
import { get, json, patch, post, put, quiet, remove, type Step, namespaceSteps } from "../../script.ts"

export function services(namespace: string): Step[] {
  const at = `/api/v1/namespaces/${namespace}/services`
  const service = (name: string, spec: Record<string, unknown>): Record<string, unknown> => ({
    metadata: { name },
    spec: { ports: [{ port: 80 }], ...spec },
  })
  return [
    ...namespaceSteps(namespace),
    ...(
      [
        ["plain", {}],
        ["headless", { clusterIP: "None" }],
        ["external", { type: "ExternalName", externalName: "a.b", ports: undefined }],
        ["node port", { type: "NodePort" }],
        ["balancer", { type: "LoadBalancer" }],
        ["an address outside", { clusterIP: "192.168.1.1" }],
        ["no address", { clusterIP: "x" }],
        ["the first address", { clusterIP: "10.96.0.1" }],
        ["a port outside", { type: "NodePort", ports: [{ port: 1, nodePort: 5 }] }],
        [
          "a health check port",
          { type: "LoadBalancer", externalTrafficPolicy: "Local", healthCheckNodePort: -1 },
        ],
        [
          "a large health check port",
          { type: "LoadBalancer", externalTrafficPolicy: "Local", healthCheckNodePort: 999999 },
        ],
        ["local", { type: "LoadBalancer", externalTrafficPolicy: "Local" }],
        ["two families", { ipFamilyPolicy: "RequireDualStack" }],
        ["prefer two families", { ipFamilyPolicy: "PreferDualStack" }],
        ["v6", { ipFamilies: ["IPv6"] }],
        ["external addresses", { externalIPs: ["1.2.3.4"] }],
        ["trafficDistribution", { trafficDistribution: "PreferClose" }],
        ["addresses without address", { clusterIPs: ["10.96.77.1"] }],
        ["balancer address", { type: "LoadBalancer", loadBalancerIP: "1.2.3.4" }],
      ] as const
    ).map(([name, spec]) => post(name, at, service(name.replace(/ /g, "-").toLowerCase(), spec))),
    patch("to a node port", `${at}/plain`, "merge", { spec: { type: "NodePort" } }),
    patch("to an external name", `${at}/plain`, "merge", {
      spec: { type: "ExternalName", externalName: "a.b" },
    }),
    patch("back", `${at}/plain`, "merge", { spec: { type: "ClusterIP", externalName: null } }),
    patch("another address", `${at}/plain`, "merge", { spec: { clusterIP: "10.96.200.200" } }),
    patch("another port", `${at}/node-port`, "merge", { spec: { ports: [{ port: 81 }] } }),
    patch("from headless", `${at}/headless`, "merge", { spec: { clusterIP: "10.96.200.201" } }),
    patch("another class", `${at}/balancer`, "merge", { spec: { loadBalancerClass: "a.b/c" } }),
    patch("balancer status", `${at}/balancer/status`, "merge", {
      status: { loadBalancer: { ingress: [{ ip: "1.2.3.4" }] } },
    }),
    patch("bad balancer status", `${at}/balancer/status`, "merge", {
      status: { loadBalancer: { ingress: [{ ip: "x" }] } },
    }),
    get("proxy nobody", `${at}/zz/proxy`),
    get("proxy nobody by scheme", `${at}/https:zz:443/proxy/x`),
    get("proxy without endpoints", `${at}/plain/proxy`),
    get("proxy a bad name", `${at}/a:b:c:d/proxy`),
    remove("delete", `${at}/plain`),
    remove("delete all", `${at}?dryRun=All`),
  ]
}

export function namespaces(namespace: string): Step[] {
  const one = `/api/v1/namespaces/${namespace}`
  return [
    post("create", "/api/v1/namespaces", { metadata: { name: namespace } }),
    post("create a bad name", "/api/v1/namespaces", { metadata: { name: "a.b" } }),
    post("create with a status", "/api/v1/namespaces?dryRun=All", {
      metadata: { name: "sub-x" },
      status: { phase: "Terminating" },
    }),
    { ...get("get", one), save: { object: "" } },
    {
      name: "finalize",
      method: "PUT",
      path: `${one}/finalize`,
      headers: json,
      from: {
        saved: "object",
        edits: [
          [
            ["spec", "finalizers"],
            ["kubernetes", "example.com/f"],
          ],
        ],
      },
    },
    {
      name: "finalize badly",
      method: "PUT",
      path: `${one}/finalize`,
      headers: json,
      from: { saved: "object", edits: [[["spec", "finalizers"], ["bad"]]] },
    },
    put("finalize another", `${one}/finalize`, { metadata: { name: "other" } }),
    patch("change finalizers", one, "merge", { spec: { finalizers: [] } }),
    remove("delete default", "/api/v1/namespaces/default"),
    remove("delete kube-system", "/api/v1/namespaces/kube-system"),
    remove("delete kube-public", "/api/v1/namespaces/kube-public?dryRun=All"),
    remove("delete", one),
    get("terminating", one),
    post("create in it", `${one}/configmaps`, { metadata: { name: "m" } }),
    post("create in nothing", "/api/v1/namespaces/sub-nothing/configmaps", { metadata: { name: "m" } }),
    remove("delete again", one),
    put("done", `${one}/finalize`, {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: namespace },
      spec: {},
    }),
    get("gone", one),
  ]
}

export function scale(namespace: string): Step[] {
  const template = { metadata: { labels: { app: "a" } }, spec: { containers: [{ name: "c", image: "x" }] } }
  return [
    ...namespaceSteps(namespace),
    ...["deployments", "replicasets", "statefulsets"].flatMap((plural) => {
      const at = `/apis/apps/v1/namespaces/${namespace}/${plural}`
      return [
        quiet(
          post(`${plural} create`, at, {
            metadata: { name: "s" },
            spec: {
              replicas: 1,
              selector: {
                matchLabels: { app: "a" },
                matchExpressions: [{ key: "b", operator: "DoesNotExist" }],
              },
              template,
              ...(plural === "statefulsets" ? { serviceName: "s" } : {}),
            },
          }),
        ),
        get(`${plural} scale`, `${at}/s/scale`),
        put(`${plural} put`, `${at}/s/scale`, { metadata: { name: "s", namespace }, spec: { replicas: 3 } }),
        put(`${plural} put another`, `${at}/s/scale`, {
          metadata: { name: "t", namespace },
          spec: { replicas: 3 },
        }),
        put(`${plural} put nothing`, `${at}/s/scale`, {}),
        put(`${plural} put a null`, `${at}/s/scale`, { metadata: { name: "s" }, spec: null }),
        put(`${plural} put below zero`, `${at}/s/scale`, {
          metadata: { name: "s", namespace },
          spec: { replicas: -3 },
        }),
        put(`${plural} put, dry run`, `${at}/s/scale?dryRun=All`, {
          metadata: { name: "s", namespace },
          spec: { replicas: 9 },
        }),
        patch(`${plural} json patch`, `${at}/s/scale`, "json", [
          { op: "replace", path: "/spec/replicas", value: 4 },
        ]),
        patch(`${plural} apply`, `${at}/s/scale?fieldManager=m`, "apply", {
          apiVersion: "autoscaling/v1",
          kind: "Scale",
          spec: { replicas: 5 },
        }),
        patch(`${plural} apply by force`, `${at}/s/scale?fieldManager=m&force=true`, "apply", {
          apiVersion: "autoscaling/v1",
          kind: "Scale",
          spec: { replicas: 5 },
        }),
        get(`${plural} after`, `${at}/s`),
        get(`${plural} scale of nobody`, `${at}/zz/scale`),
        get(`${plural} scale as a table`, `${at}/s/scale`, {
          accept: "application/json;as=Table;v=v1;g=meta.k8s.io",
        }),
      ]
    }),
  ]
}

export function garbage(namespace: string): Step[] {
  const at = `/api/v1/namespaces/${namespace}/configmaps`
  return [
    ...namespaceSteps(namespace),
    quiet(post("create", at, { metadata: { name: "a", finalizers: ["example.com/f", "orphan"] } })),
    remove("delete", `${at}/a`),
    remove("delete in the foreground", `${at}/a?propagationPolicy=Foreground`),
    remove("delete in the background", `${at}/a?propagationPolicy=Background`),
    remove("delete and orphan", `${at}/a?propagationPolicy=Orphan`),
    patch("add a finalizer", `${at}/a`, "merge", {
      metadata: { finalizers: ["example.com/f", "example.com/g"] },
    }),
    patch("a label", `${at}/a`, "merge", { metadata: { labels: { a: "b" } } }),
    patch("finish", `${at}/a`, "merge", { metadata: { finalizers: [] } }),
    get("gone", `${at}/a`),
    post("create with a bad finalizer", at, { metadata: { name: "b", finalizers: ["bad"] } }),
    post("create deleted", at, {
      metadata: {
        name: "c",
        deletionTimestamp: "2020-01-01T00:00:00Z",
        deletionGracePeriodSeconds: 3,
        generation: 5,
        uid: "x",
        selfLink: "/x",
        creationTimestamp: "2020-01-01T00:00:00Z",
      },
    }),
    remove("delete it", `${at}/c`),
  ]
}
