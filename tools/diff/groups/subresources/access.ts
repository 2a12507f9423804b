/** Who may give away what, and what nodes may. */
import { get, json, patch, post, quiet, remove, type Step, namespaceSteps } from "../../script.ts"
import { pod, as } from "./shared.ts"

export function escalation(namespace: string): Step[] {
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

export function nodes(namespace: string): Step[] {
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
