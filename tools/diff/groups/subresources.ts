/** What is beside or below an object, and what admission makes of it. */
import {
  get,
  json,
  namespaceSteps,
  patch,
  post,
  put,
  quiet,
  remove,
  type Script,
  type Step,
} from "../script.ts"

export function subresourceScripts(): Script[] {
  return (
    [
      ["pods", pods],
      ["tokens", tokens],
      ["certificates", certificates],
      ["quota", quota],
      ["limits", limits],
      ["pod-security", podSecurity],
      ["escalation", escalation],
      ["nodes", nodes],
      ["services", services],
      ["namespaces", namespaces],
      ["scale", scale],
      ["finalizers", garbage],
      ["priority", priority],
    ] as const
  ).map(([name, steps]) => ({ group: "subresources", name, steps: steps(`sub-${name}`) }))
}

const pod = (
  name: string,
  more: Record<string, unknown> = {},
  metadata: Record<string, unknown> = {},
): Record<string, unknown> => ({
  metadata: { name, ...metadata },
  spec: { containers: [{ name: "c", image: "nginx" }], ...more },
})

function as(user: string, groups: readonly string[], step: Step): Step {
  return {
    ...step,
    headers: {
      ...step.headers,
      "impersonate-user": user,
      ...(groups[0] ? { "impersonate-group": groups[0] } : {}),
    },
  }
}

function pods(namespace: string): Step[] {
  const at = `/api/v1/namespaces/${namespace}/pods`
  const binding = (target: Record<string, unknown>, more = {}): Record<string, unknown> => ({
    metadata: { name: "a" },
    target,
    ...more,
  })
  const resize = (resources: Record<string, unknown>): Record<string, unknown> => ({
    spec: { containers: [{ name: "c", resources }] },
  })
  return [
    ...namespaceSteps(namespace),
    quiet(post("pod a", at, pod("a", {}, { labels: { a: "b" } }))),
    quiet(
      post("pod b", at, {
        metadata: { name: "b" },
        spec: {
          containers: [
            { name: "c", image: "nginx", resources: { requests: { cpu: "1" }, limits: { cpu: "2" } } },
          ],
        },
      }),
    ),
    post("bind to nothing", `${at}/a/binding`, binding({})),
    post("bind to another kind", `${at}/a/binding`, binding({ kind: "Pod", name: "x" })),
    post("bind to a bad name", `${at}/a/binding`, binding({ kind: "Node", name: "Bad_Name" })),
    post("bind another pod", `${at}/a/binding`, {
      metadata: { name: "z" },
      target: { kind: "Node", name: "n" },
    }),
    post("bind, dry run", `${at}/a/binding?dryRun=All`, binding({ kind: "Node", name: "n" })),
    post("bind", `${at}/a/binding`, binding({ kind: "Node", name: "n" })),
    post("bind again", `${at}/a/binding`, binding({ kind: "Node", name: "m" })),
    post("bind nobody", `${at}/zz/binding`, {
      metadata: { name: "zz" },
      target: { kind: "Node", name: "n" },
    }),
    post("bind by the old path", `/api/v1/namespaces/${namespace}/bindings`, {
      metadata: { name: "b" },
      target: { kind: "Node", name: "n" },
    }),
    post("bind by the old path without a name", `/api/v1/namespaces/${namespace}/bindings`, {
      target: { kind: "Node", name: "n" },
    }),
    get("bound", `${at}/a`),
    get("ephemeral containers", `${at}/a/ephemeralcontainers`),
    patch("add one", `${at}/a/ephemeralcontainers`, "strategic", {
      spec: { ephemeralContainers: [{ name: "e", image: "busybox" }] },
    }),
    patch("change one", `${at}/a/ephemeralcontainers`, "strategic", {
      spec: { ephemeralContainers: [{ name: "e", image: "other" }] },
    }),
    patch("add one with ports", `${at}/a/ephemeralcontainers`, "strategic", {
      spec: { ephemeralContainers: [{ name: "f", image: "x", ports: [{ containerPort: 1 }] }] },
    }),
    patch("add one with the name of another", `${at}/a/ephemeralcontainers`, "strategic", {
      spec: { ephemeralContainers: [{ name: "c", image: "x" }] },
    }),
    patch("change a container", `${at}/a/ephemeralcontainers`, "strategic", {
      spec: { containers: [{ name: "c", image: "other" }] },
    }),
    patch("add one through the pod", `${at}/a`, "strategic", {
      spec: { ephemeralContainers: [{ name: "g", image: "x" }] },
    }),
    get("resize", `${at}/b/resize`),
    patch("resize cpu", `${at}/b/resize`, "strategic", resize({ requests: { cpu: "1500m" } })),
    patch("resize over the limit", `${at}/b/resize`, "strategic", resize({ requests: { cpu: "3" } })),
    patch("resize to nothing", `${at}/b/resize`, "strategic", resize({ requests: null, limits: null })),
    patch("resize an image", `${at}/b/resize`, "strategic", {
      spec: { containers: [{ name: "c", image: "other" }] },
    }),
    patch("resize through the pod", `${at}/b`, "strategic", resize({ requests: { cpu: "1200m" } })),
    patch("status of a pod", `${at}/a/status`, "merge", {
      status: {
        phase: "Running",
        podIP: "10.0.0.9",
        podIPs: [{ ip: "10.0.0.9" }],
        conditions: [{ type: "Ready", status: "True" }],
      },
    }),
    patch("status with bad addresses", `${at}/a/status`, "merge", { status: { podIPs: [{ ip: "x" }] } }),
    patch("status that changes the spec", `${at}/a/status`, "merge", { spec: { nodeName: "other" } }),
    patch("image", `${at}/a`, "strategic", { spec: { containers: [{ name: "c", image: "nginx:2" }] } }),
    patch("command", `${at}/a`, "strategic", { spec: { containers: [{ name: "c", command: ["x"] }] } }),
    patch("node name", `${at}/a`, "merge", { spec: { nodeName: "other" } }),
    patch("tolerations", `${at}/a`, "merge", { spec: { tolerations: [] } }),
    patch("deadline", `${at}/a`, "merge", { spec: { activeDeadlineSeconds: 5 } }),
    patch("longer deadline", `${at}/a`, "merge", { spec: { activeDeadlineSeconds: 50 } }),
    patch("grace", `${at}/a`, "merge", { spec: { terminationGracePeriodSeconds: 5 } }),
    ...[
      "log",
      "log?container=x",
      "log?follow=x",
      "log?tailLines=-1",
      "log?sinceSeconds=0",
      "log?sinceSeconds=1&sinceTime=2020-01-01T00:00:00Z",
      "log?stream=Bogus",
      "log?limitBytes=0",
      "log?stream=Stdout&tailLines=1",
      "log?sinceTime=x",
    ].map((path) => get(path, `${at}/zz/${path}`)),
    ...[
      "log?follow=x",
      "log?tailLines=-1",
      "log?sinceSeconds=0",
      "log?stream=Bogus",
      "log?limitBytes=0",
      "log?container=x",
      "log?sinceSeconds=1&sinceTime=2020-01-01T00:00:00Z",
    ].map((path) => get(`b ${path}`, `${at}/b/${path}`)),
    post("exec without a command", `${at}/a/exec`, {}),
    get("exec nobody", `${at}/zz/exec?command=a`),
    get("attach nobody", `${at}/zz/attach`),
    get("port-forward nobody", `${at}/zz/portforward`),
    ...["policy/v1", "policy/v1beta1", "lifecycle.k8s.io/v1alpha1", ""].map((apiVersion) =>
      post(`evict as ${apiVersion}, dry run`, `${at}/b/eviction?dryRun=All`, {
        ...(apiVersion ? { apiVersion, kind: "Eviction" } : {}),
        metadata: { name: "b", namespace },
      }),
    ),
    post("evict another", `${at}/b/eviction`, {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name: "a", namespace },
    }),
    post("evict nobody", `${at}/zz/eviction`, {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name: "zz", namespace },
    }),
    post("evict with a bad option", `${at}/b/eviction`, {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name: "b" },
      deleteOptions: { dryRun: ["x"] },
    }),
    quiet(
      post("budget", `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets`, {
        metadata: { name: "d" },
        spec: { minAvailable: 1, selector: { matchLabels: { a: "b" } } },
      }),
    ),
    post("evict against a budget", `${at}/a/eviction`, {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name: "a", namespace },
    }),
    post("evict", `${at}/b/eviction`, {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name: "b", namespace },
    }),
    remove("delete with grace", `${at}/a?gracePeriodSeconds=3`),
    get("deleted", `${at}/a`),
    remove("delete at once", `${at}/a?gracePeriodSeconds=0`),
    get("gone", `${at}/a`),
  ]
}

function tokens(namespace: string): Step[] {
  const at = `/api/v1/namespaces/${namespace}/serviceaccounts/default/token`
  const ask = (spec: Record<string, unknown>): Record<string, unknown> => ({
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec,
  })
  return [
    ...namespaceSteps(namespace),
    quiet(post("pod", `/api/v1/namespaces/${namespace}/pods`, pod("p"))),
    quiet(post("secret", `/api/v1/namespaces/${namespace}/secrets`, { metadata: { name: "s" } })),
    post("nothing asked", at, {}),
    post("an audience", at, ask({ audiences: ["a"] })),
    post("ten minutes", at, ask({ expirationSeconds: 600 })),
    post("too short", at, ask({ expirationSeconds: 5 })),
    post("too long", at, ask({ expirationSeconds: 4294967297 })),
    post("for a pod", at, ask({ boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "p" } })),
    post("for another pod", at, ask({ boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "zz" } })),
    post("for a secret", at, ask({ boundObjectRef: { kind: "Secret", apiVersion: "v1", name: "s" } })),
    post(
      "for a bad uid",
      at,
      ask({ boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "p", uid: "x" } }),
    ),
    post("for a node", at, ask({ boundObjectRef: { kind: "Node", apiVersion: "v1", name: "n" } })),
    post("for a configmap", at, ask({ boundObjectRef: { kind: "ConfigMap", apiVersion: "v1", name: "n" } })),
    post("of nobody", at.replace("/default/token", "/nobody/token"), ask({})),
    post("another name", at, { ...ask({}), metadata: { name: "other" } }),
    post("dry run", `${at}?dryRun=All`, ask({})),
    get("read", at),
  ]
}

function certificates(_: string): Step[] {
  const at = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
  const one = `${at}/d-csr`
  const request =
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIVE1Ib0NBUUF3R0RFV01CUUdBMVVFQXd3TlpHbG1aaTFsZUdGdGNHeGxNRmt3RXdZSEtvWkl6ajBDQVFZSQpLb1pJemowREFRY0RRZ0FFQUFBQQotLS0tLUVORCBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0K"
  const body = (spec: Record<string, unknown>): Record<string, unknown> => ({
    metadata: { name: "d-csr" },
    spec: { request, signerName: "example.com/s", usages: ["client auth"], ...spec },
  })
  return [
    post("no request", at, body({ request: undefined })),
    post("no pem", at, body({ request: "AAAA" })),
    post("a legacy signer", at, body({ signerName: "kubernetes.io/legacy-unknown" })),
    post("no signer", at, body({ signerName: undefined })),
    post("a bad signer", at, body({ signerName: "x" })),
    post("no usages", at, body({ usages: undefined })),
    post("a bad usage", at, body({ usages: ["fly"] })),
    post("short", at, body({ expirationSeconds: 5 })),
    get("read none", one),
  ]
}

function quota(namespace: string): Step[] {
  const core = `/api/v1/namespaces/${namespace}`
  const used = {
    hard: {
      pods: "1",
      "requests.cpu": "1",
      services: "1",
      configmaps: "2",
      "count/secrets": "0",
      "limits.memory": "1Gi",
    },
  }
  return [
    ...namespaceSteps(namespace),
    post("quota", `${core}/resourcequotas`, { metadata: { name: "q" }, spec: used }),
    quiet(
      patch("status", `${core}/resourcequotas/q/status`, "merge", {
        status: {
          hard: used.hard,
          used: {
            pods: "0",
            "requests.cpu": "0",
            services: "0",
            configmaps: "0",
            "count/secrets": "0",
            "limits.memory": "0",
          },
        },
      }),
    ),
    post("a secret too many", `${core}/secrets`, { metadata: { name: "s" } }),
    post("a configmap", `${core}/configmaps`, { metadata: { name: "m" } }),
    post("a pod without requests", `${core}/pods`, pod("p")),
    post(
      "a pod that is too large",
      `${core}/pods`,
      pod("p", {
        containers: [
          { name: "c", image: "x", resources: { requests: { cpu: "2" }, limits: { memory: "2Gi" } } },
        ],
      }),
    ),
    post(
      "a pod",
      `${core}/pods`,
      pod("p", {
        containers: [
          { name: "c", image: "x", resources: { requests: { cpu: "500m" }, limits: { memory: "1Gi" } } },
        ],
      }),
    ),
    post(
      "a pod too many",
      `${core}/pods`,
      pod("r", {
        containers: [
          { name: "c", image: "x", resources: { requests: { cpu: "1m" }, limits: { memory: "1" } } },
        ],
      }),
    ),
    post("a service", `${core}/services`, { metadata: { name: "s" }, spec: { ports: [{ port: 80 }] } }),
    post("a service too many", `${core}/services`, {
      metadata: { name: "t" },
      spec: { ports: [{ port: 80 }] },
    }),
    get("what is used", `${core}/resourcequotas/q`),
  ]
}

function limits(namespace: string): Step[] {
  const core = `/api/v1/namespaces/${namespace}`
  const container = (resources: Record<string, unknown>): Record<string, unknown> => ({
    containers: [{ name: "c", image: "x", resources }],
  })
  return [
    ...namespaceSteps(namespace),
    post("limits", `${core}/limitranges`, {
      metadata: { name: "l" },
      spec: {
        limits: [
          {
            type: "Container",
            max: { cpu: "2" },
            min: { cpu: "10m" },
            default: { cpu: "1" },
            defaultRequest: { cpu: "100m" },
            maxLimitRequestRatio: { cpu: "20" },
          },
          { type: "Pod", max: { memory: "1Gi" } },
          { type: "PersistentVolumeClaim", max: { storage: "2Gi" }, min: { storage: "1Gi" } },
        ],
      },
    }),
    post("defaults", `${core}/pods`, pod("a", container({ limits: { memory: "1Mi" } }))),
    post("nothing said of memory", `${core}/pods`, pod("b")),
    post("too much", `${core}/pods`, pod("c", container({ limits: { cpu: "3", memory: "1Mi" } }))),
    post(
      "too little",
      `${core}/pods`,
      pod("d", container({ requests: { cpu: "1m" }, limits: { cpu: "1m", memory: "1Mi" } })),
    ),
    post(
      "too wide",
      `${core}/pods`,
      pod("e", container({ requests: { cpu: "10m" }, limits: { cpu: "2", memory: "1Mi" } })),
    ),
    post("a pod too large", `${core}/pods`, pod("f", container({ limits: { memory: "2Gi" } }))),
    ...["512Mi", "1Gi", "3Gi"].map((storage) =>
      post(`a claim of ${storage}`, `${core}/persistentvolumeclaims`, {
        metadata: { name: `c${storage.toLowerCase()}` },
        spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage } } },
      }),
    ),
  ]
}

function podSecurity(namespace: string): Step[] {
  const core = `/api/v1/namespaces/${namespace}`
  const label = (name: string, value: string): Record<string, unknown> => ({
    metadata: { labels: { [`pod-security.kubernetes.io/${name}`]: value } },
  })
  const restricted = {
    allowPrivilegeEscalation: false,
    runAsNonRoot: true,
    capabilities: { drop: ["ALL"] },
    seccompProfile: { type: "RuntimeDefault" },
  }
  const tries: readonly [string, Record<string, unknown>][] = [
    ["plain", {}],
    ["host network", { hostNetwork: true }],
    ["host pid", { hostPID: true, hostIPC: true }],
    ["privileged", { containers: [{ name: "c", image: "x", securityContext: { privileged: true } }] }],
    [
      "capabilities",
      { containers: [{ name: "c", image: "x", securityContext: { capabilities: { add: ["SYS_ADMIN"] } } }] },
    ],
    ["host path", { volumes: [{ name: "h", hostPath: { path: "/" } }] }],
    ["host port", { containers: [{ name: "c", image: "x", ports: [{ containerPort: 1, hostPort: 1 }] }] }],
    ["proc mount", { containers: [{ name: "c", image: "x", securityContext: { procMount: "Unmasked" } }] }],
    ["sysctl", { securityContext: { sysctls: [{ name: "kernel.msgmax", value: "1" }] } }],
    ["seccomp", { securityContext: { seccompProfile: { type: "Unconfined" } } }],
    ["selinux", { securityContext: { seLinuxOptions: { type: "x", user: "y" } } }],
    ["root", { securityContext: { runAsUser: 0 } }],
    ["restricted", { containers: [{ name: "c", image: "x", securityContext: restricted }] }],
    ["nfs", { volumes: [{ name: "n", nfs: { server: "s", path: "/" } }] }],
    ["windows", { securityContext: { windowsOptions: { hostProcess: true } }, hostNetwork: true }],
  ]
  return [
    ...namespaceSteps(namespace),
    quiet(post("an old pod", `${core}/pods`, pod("old", { hostNetwork: true }))),
    patch("a wrong level", core, "merge", label("enforce", "Bogus")),
    patch("a wrong version", core, "merge", label("enforce-version", "v0.x")),
    ...["baseline", "restricted"].flatMap((level) => [
      patch(`enforce ${level}`, core, "merge", label("enforce", level)),
      ...tries.map(([name, spec], i) =>
        post(`${level} ${name}`, `${core}/pods?dryRun=All`, pod(`p${i}`, spec)),
      ),
    ]),
    patch("warn", core, "merge", {
      metadata: {
        labels: {
          "pod-security.kubernetes.io/enforce": "privileged",
          "pod-security.kubernetes.io/warn": "restricted",
        },
      },
    }),
    ...tries
      .slice(0, 4)
      .map(([name, spec], i) => post(`warn ${name}`, `${core}/pods?dryRun=All`, pod(`p${i}`, spec))),
    post("warn for a deployment", `/apis/apps/v1/namespaces/${namespace}/deployments?dryRun=All`, {
      metadata: { name: "d" },
      spec: {
        selector: { matchLabels: { a: "b" } },
        template: { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "x" }] } },
      },
    }),
  ]
}

function escalation(namespace: string): Step[] {
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`
  const user = (step: Step): Step => as("d-limited", [], step)
  return [
    ...namespaceSteps(namespace),
    quiet(
      post("role", `${rbac}/roles`, {
        metadata: { name: "limited" },
        rules: [
          { apiGroups: ["rbac.authorization.k8s.io"], resources: ["roles", "rolebindings"], verbs: ["*"] },
          { apiGroups: [""], resources: ["pods"], verbs: ["get"] },
        ],
      }),
    ),
    quiet(
      post("binding", `${rbac}/rolebindings`, {
        metadata: { name: "limited" },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "limited" },
        subjects: [{ kind: "User", name: "d-limited" }],
      }),
    ),
    user(
      post("grant what one has", `${rbac}/roles`, {
        metadata: { name: "a" },
        rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }],
      }),
    ),
    user(
      post("grant more", `${rbac}/roles`, {
        metadata: { name: "b" },
        rules: [{ apiGroups: [""], resources: ["secrets", "pods"], verbs: ["get", "list"] }],
      }),
    ),
    user(
      post("bind what one has", `${rbac}/rolebindings`, {
        metadata: { name: "a" },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "limited" },
      }),
    ),
    user(
      post("bind more", `${rbac}/rolebindings`, {
        metadata: { name: "b" },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
      }),
    ),
    user(
      post("bind nothing", `${rbac}/rolebindings`, {
        metadata: { name: "c" },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "none" },
      }),
    ),
    user(
      patch("enlarge", `${rbac}/roles/limited`, "merge", {
        rules: [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }],
      }),
    ),
    ...[
      ["get", `/api/v1/namespaces/${namespace}/pods/x`],
      ["get", `/api/v1/namespaces/${namespace}/pods`],
      ["get", `/api/v1/namespaces/${namespace}/secrets/x`],
      ["get", "/api/v1/nodes"],
      ["get", `/api/v1/namespaces/${namespace}/nodes`],
      ["get", "/api/v1/namespaces/default/pods/x"],
      ["post", `/api/v1/namespaces/${namespace}/pods`],
      ["put", `/api/v1/namespaces/${namespace}/pods/x`],
      ["delete", `/api/v1/namespaces/${namespace}/pods/x`],
      ["delete", `/api/v1/namespaces/${namespace}/pods`],
      ["patch", `/api/v1/namespaces/${namespace}/pods/x/status`],
      ["get", "/metrics"],
      ["get", "/apis"],
      ["get", "/nothing"],
      ["get", "/healthz"],
      ["get", "/apis/none.example.com/v1/things"],
    ].map(([method, path]) =>
      user({
        name: `may ${method} ${path}`,
        method: method!.toUpperCase(),
        path: path!,
        headers: { ...json },
      }),
    ),
  ]
}

function nodes(namespace: string): Step[] {
  const node = (step: Step): Step => as("system:node:d-self", ["system:nodes"], step)
  return [
    ...namespaceSteps(namespace),
    node(post("register", "/api/v1/nodes", { metadata: { name: "d-self" } })),
    node(post("register another", "/api/v1/nodes", { metadata: { name: "d-other" } })),
    node(
      post("register with a reserved label", "/api/v1/nodes?dryRun=All", {
        metadata: { name: "d-self", labels: { "node-restriction.kubernetes.io/x": "y" } },
      }),
    ),
    node(patch("own label", "/api/v1/nodes/d-self", "merge", { metadata: { labels: { mine: "1" } } })),
    node(
      patch("reserved label", "/api/v1/nodes/d-self", "merge", {
        metadata: { labels: { "node-role.kubernetes.io/control-plane": "" } },
      }),
    ),
    node(
      patch("taints", "/api/v1/nodes/d-self", "merge", {
        spec: { taints: [{ key: "a", effect: "NoSchedule" }] },
      }),
    ),
    node(patch("status", "/api/v1/nodes/d-self/status", "merge", { status: { capacity: { cpu: "1" } } })),
    node(patch("status of another", "/api/v1/nodes/d-other/status", "merge", { status: {} })),
    node(remove("delete itself", "/api/v1/nodes/d-self?dryRun=All")),
    node(post("a pod", `/api/v1/namespaces/${namespace}/pods`, pod("p", { nodeName: "d-self" }))),
    node(
      post(
        "a mirror pod",
        `/api/v1/namespaces/${namespace}/pods`,
        pod("m", { nodeName: "d-self" }, { annotations: { "kubernetes.io/config.mirror": "x" } }),
      ),
    ),
    node(
      post(
        "a mirror pod with a secret",
        `/api/v1/namespaces/${namespace}/pods`,
        pod(
          "n",
          { nodeName: "d-self", volumes: [{ name: "s", secret: { secretName: "s" } }] },
          { annotations: { "kubernetes.io/config.mirror": "x" } },
        ),
      ),
    ),
    node(get("a secret", `/api/v1/namespaces/${namespace}/secrets/s`)),
    node(get("all secrets", `/api/v1/namespaces/${namespace}/secrets`)),
    node(get("all pods", "/api/v1/pods")),
    node(get("own pods", "/api/v1/pods?fieldSelector=spec.nodeName=d-self&labelSelector=none")),
    node(
      post("own lease", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", {
        metadata: { name: "d-self" },
      }),
    ),
    node(
      post("another's lease", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases", {
        metadata: { name: "d-other" },
      }),
    ),
    node(
      post("own csi node", "/apis/storage.k8s.io/v1/csinodes?dryRun=All", {
        metadata: { name: "d-self" },
        spec: { drivers: [] },
      }),
    ),
    node(
      post("another's csi node", "/apis/storage.k8s.io/v1/csinodes", {
        metadata: { name: "d-other" },
        spec: { drivers: [] },
      }),
    ),
    node(post("a token", `/api/v1/namespaces/${namespace}/serviceaccounts/default/token`, {})),
    quiet(remove("clean up", "/api/v1/nodes/d-self")),
    quiet(
      remove("clean up the lease", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/d-self"),
    ),
  ]
}

function services(namespace: string): Step[] {
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

function namespaces(namespace: string): Step[] {
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

function scale(namespace: string): Step[] {
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

function garbage(namespace: string): Step[] {
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

function priority(namespace: string): Step[] {
  const core = `/api/v1/namespaces/${namespace}`
  return [
    ...namespaceSteps(namespace),
    post("a class", "/apis/scheduling.k8s.io/v1/priorityclasses", {
      metadata: { name: "d-high" },
      value: 1000,
      preemptionPolicy: "Never",
    }),
    post("a pod of it", `${core}/pods?dryRun=All`, pod("a", { priorityClassName: "d-high" })),
    post("a pod of nothing", `${core}/pods?dryRun=All`, pod("a", { priorityClassName: "none" })),
    post(
      "a pod with another priority",
      `${core}/pods?dryRun=All`,
      pod("a", { priorityClassName: "d-high", priority: 5 }),
    ),
    post(
      "a critical pod",
      `${core}/pods?dryRun=All`,
      pod("a", { priorityClassName: "system-node-critical" }),
    ),
    post("a runtime class of nothing", `${core}/pods?dryRun=All`, pod("a", { runtimeClassName: "none" })),
    post("a service account of nothing", `${core}/pods?dryRun=All`, pod("a", { serviceAccountName: "none" })),
    post("overhead", `${core}/pods?dryRun=All`, pod("a", { overhead: { cpu: "1" } })),
    post("a reserved class", "/apis/scheduling.k8s.io/v1/priorityclasses", {
      metadata: { name: "system-x" },
      value: 5,
    }),
    post("a high class", "/apis/scheduling.k8s.io/v1/priorityclasses", {
      metadata: { name: "d-highest" },
      value: 2000000000,
    }),
    patch("another value", "/apis/scheduling.k8s.io/v1/priorityclasses/d-high", "merge", { value: 5 }),
    quiet(remove("clean up", "/apis/scheduling.k8s.io/v1/priorityclasses/d-high")),
  ]
}
