/** What samples of several kinds are made of: pods, their templates, selectors and claims. */

export const podSpec: Record<string, unknown> = { containers: [{ name: "c", image: "nginx" }] }
const richContainer: Record<string, unknown> = {
  name: "c",
  image: "nginx:1",
  command: ["a"],
  args: ["b"],
  workingDir: "/w",
  ports: [{ name: "web", containerPort: 80, protocol: "TCP" }],
  envFrom: [{ prefix: "P_", configMapRef: { name: "m", optional: true } }, { secretRef: { name: "s" } }],
  env: [
    { name: "A", value: "b" },
    { name: "B", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
    { name: "C", valueFrom: { resourceFieldRef: { resource: "limits.cpu", divisor: "1m" } } },
    { name: "D", valueFrom: { configMapKeyRef: { name: "m", key: "k" } } },
    { name: "E", valueFrom: { secretKeyRef: { name: "s", key: "k", optional: false } } },
  ],
  resources: { limits: { cpu: "1", memory: "64Mi" }, requests: { cpu: "500m", memory: "32Mi" } },
  volumeMounts: [
    { name: "e", mountPath: "/e", subPath: "x" },
    { name: "m", mountPath: "/m", readOnly: true },
  ],
  livenessProbe: {
    httpGet: { path: "/", port: 80, httpHeaders: [{ name: "X-A", value: "b" }] },
    periodSeconds: 5,
  },
  readinessProbe: {
    tcpSocket: { port: "web" },
    initialDelaySeconds: 1,
    timeoutSeconds: 2,
    failureThreshold: 4,
  },
  startupProbe: { exec: { command: ["t"] }, successThreshold: 1 },
  lifecycle: { postStart: { exec: { command: ["p"] } }, preStop: { httpGet: { port: 80, scheme: "HTTP" } } },
  terminationMessagePath: "/t",
  terminationMessagePolicy: "File",
  imagePullPolicy: "IfNotPresent",
  securityContext: {
    runAsUser: 1,
    runAsNonRoot: true,
    readOnlyRootFilesystem: true,
    allowPrivilegeEscalation: false,
    capabilities: { add: ["NET_ADMIN"], drop: ["ALL"] },
    seccompProfile: { type: "RuntimeDefault" },
  },
}
export const richPodSpec: Record<string, unknown> = {
  initContainers: [{ name: "i", image: "busybox", restartPolicy: "Always" }],
  containers: [richContainer],
  volumes: [
    { name: "e", emptyDir: { sizeLimit: "1Gi", medium: "Memory" } },
    { name: "m", configMap: { name: "m", items: [{ key: "k", path: "p", mode: 256 }], defaultMode: 420 } },
    { name: "s", secret: { secretName: "s", optional: true } },
    { name: "h", hostPath: { path: "/h", type: "Directory" } },
    { name: "d", downwardAPI: { items: [{ path: "l", fieldRef: { fieldPath: "metadata.labels" } }] } },
    {
      name: "p",
      projected: {
        sources: [
          { serviceAccountToken: { path: "t", expirationSeconds: 600 } },
          { configMap: { name: "m" } },
          {
            downwardAPI: {
              items: [{ path: "c", resourceFieldRef: { containerName: "c", resource: "requests.cpu" } }],
            },
          },
        ],
      },
    },
    { name: "v", persistentVolumeClaim: { claimName: "v" } },
    { name: "n", nfs: { server: "s", path: "/p" } },
    { name: "x", csi: { driver: "a.b", nodePublishSecretRef: { name: "s" } } },
    {
      name: "y",
      ephemeral: {
        volumeClaimTemplate: {
          spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
        },
      },
    },
  ],
  restartPolicy: "Always",
  terminationGracePeriodSeconds: 5,
  dnsPolicy: "ClusterFirst",
  dnsConfig: { nameservers: ["1.2.3.4"], searches: ["a.b"], options: [{ name: "ndots", value: "2" }] },
  nodeSelector: { disk: "ssd" },
  serviceAccountName: "default",
  automountServiceAccountToken: false,
  securityContext: {
    runAsUser: 1,
    fsGroup: 2,
    supplementalGroups: [3],
    sysctls: [{ name: "kernel.shm_rmid_forced", value: "0" }],
  },
  imagePullSecrets: [{ name: "reg" }],
  hostname: "h",
  subdomain: "s",
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: "k", operator: "In", values: ["v"] }] }],
      },
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 1, preference: { matchExpressions: [{ key: "k", operator: "Exists" }] } },
      ],
    },
    podAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { labelSelector: { matchLabels: { a: "b" } }, topologyKey: "zone", namespaces: ["n"] },
      ],
    },
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        { weight: 2, podAffinityTerm: { labelSelector: { matchLabels: { a: "b" } }, topologyKey: "zone" } },
      ],
    },
  },
  tolerations: [{ key: "k", operator: "Equal", value: "v", effect: "NoExecute", tolerationSeconds: 3 }],
  hostAliases: [{ ip: "1.2.3.4", hostnames: ["a.b"] }],
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: "zone",
      whenUnsatisfiable: "DoNotSchedule",
      labelSelector: { matchLabels: { a: "b" } },
    },
  ],
  readinessGates: [{ conditionType: "a.b/c" }],
}
export const template: Record<string, unknown> = { metadata: { labels: { app: "a" } }, spec: podSpec }
export const richTemplate: Record<string, unknown> = {
  metadata: { labels: { app: "a" }, annotations: { "a.b/c": "d" } },
  spec: {
    containers: [
      { name: "c", image: "nginx", ports: [{ containerPort: 80 }], resources: { limits: { cpu: "1" } } },
    ],
    volumes: [{ name: "e", emptyDir: {} }],
  },
}
export const selector: Record<string, unknown> = { matchLabels: { app: "a" } }
export const jobTemplate: Record<string, unknown> = { spec: { ...podSpec, restartPolicy: "Never" } }
export const claimSpec: Record<string, unknown> = {
  accessModes: ["ReadWriteOnce"],
  resources: { requests: { storage: "1Gi" } },
}
