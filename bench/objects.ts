/** What the load is made of: pods of ~3 KB as a Deployment would make them, and ConfigMaps of 1 KB. */
import storedPod from "./pod.json" with { type: "json" }

const environment = [
  ["SERVICE_NAME", "checkout"],
  ["LOG_LEVEL", "info"],
  ["DATABASE_HOST", "postgres.storage.svc.cluster.local"],
  ["CACHE_HOST", "redis.storage.svc.cluster.local"],
  ["TRACE_ENDPOINT", "http://collector.observability.svc.cluster.local:4318/v1/traces"],
].map(([name, value]) => ({ name, value }))

const container = (name: string, port: number): unknown => ({
  name,
  image: `registry.example.com/shop/${name}:v1.42.7`,
  imagePullPolicy: "IfNotPresent",
  ports: [{ name: "http", containerPort: port }],
  env: environment,
  resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "256Mi" } },
  readinessProbe: { httpGet: { path: "/ready", port: "http" }, periodSeconds: 5 },
  volumeMounts: [{ name: "config", mountPath: "/etc/shop", readOnly: true }],
})

/** A pod as JSON; "{i}" is its number. The server's answer has ~3.3 KB. */
export const podBody = JSON.stringify({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "checkout-{i}",
    labels: { app: "checkout", tier: "backend", "pod-template-hash": "7d4b9c6f58", shard: "s{i}" },
    annotations: { "example.com/owner": "team-shop", "example.com/revision": "41" },
  },
  spec: {
    containers: [container("checkout", 8080)],
    volumes: [{ name: "config", configMap: { name: "checkout" } }],
    terminationGracePeriodSeconds: 30,
  },
})

export const podMergePatch = JSON.stringify({
  metadata: { annotations: { "example.com/revision": "{n}", "example.com/checked": "yes" } },
})

/** The pod as it is read from the server, its managedFields among it, with another status: what a controller sends back. */
export const podStatusUpdate = JSON.stringify(storedPod)

/** What a kubelet reports of a pod that runs. */
export const podStatusPatch = JSON.stringify({
  status: {
    phase: "Running",
    podIP: "10.244.1.17",
    podIPs: [{ ip: "10.244.1.17" }],
    hostIP: "192.0.2.10",
    startTime: "2026-01-01T00:00:00Z",
    conditions: ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map((type) => ({
      type,
      status: "True",
      lastTransitionTime: "2026-01-01T00:00:00Z",
      message: "seen {n}",
    })),
    containerStatuses: [
      {
        name: "checkout",
        image: "registry.example.com/shop/checkout:v1.42.7",
        imageID: "registry.example.com/shop/checkout@sha256:0f5d",
        containerID: "containerd://6d1c{n}",
        ready: true,
        restartCount: 0,
        started: true,
        state: { running: { startedAt: "2026-01-01T00:00:00Z" } },
      },
    ],
  },
})

export const configMapApply = JSON.stringify({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "settings-{i}", labels: { app: "checkout" } },
  data: {
    revision: "{n}",
    ...Object.fromEntries(
      Array.from({ length: 10 }, (_, at) => [`setting-${at}`, `value ${at} `.padEnd(80, "abcdefghij")]),
    ),
  },
})

export const namespaceBody = (name: string): string =>
  JSON.stringify({ apiVersion: "v1", kind: "Namespace", metadata: { name } })

/** Made by a controller in a whole cluster; pods are refused without it. */
export const defaultServiceAccountBody = JSON.stringify({
  apiVersion: "v1",
  kind: "ServiceAccount",
  metadata: { name: "default" },
})
