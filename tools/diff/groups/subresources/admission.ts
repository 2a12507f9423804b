/** What admission says: quota, limits, pod security, priorities. */
import { get, patch, post, quiet, remove, type Step, namespaceSteps } from "../../script.ts"
import { pod } from "./shared.ts"

export function quota(namespace: string): Step[] {
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

export function limits(namespace: string): Step[] {
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

export function podSecurity(namespace: string): Step[] {
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

export function priority(namespace: string): Step[] {
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
