/** Samples. The core group. */
import type { Entries } from "./entry.ts"
import { claimSpec, podSpec, richPodSpec, richTemplate, template } from "./pods.ts"

export const coreObjects: Entries = {
  "v1 ConfigMap": {
    minimal: { data: { a: "b" } },
    rich: { data: { a: "b", "c.d": "" }, binaryData: { e: "Zg==" }, immutable: false },
  },
  "v1 Endpoints": {
    minimal: { subsets: [{ addresses: [{ ip: "10.0.0.1" }], ports: [{ port: 80 }] }] },
    rich: {
      subsets: [
        {
          addresses: [
            {
              ip: "10.0.0.1",
              hostname: "h",
              nodeName: "n",
              targetRef: { kind: "Pod", name: "p", namespace: "n" },
            },
          ],
          notReadyAddresses: [{ ip: "10.0.0.2" }],
          ports: [{ name: "web", port: 80, protocol: "TCP", appProtocol: "http" }],
        },
      ],
    },
  },
  "v1 Event": { minimal: { involvedObject: {}, reason: "R", message: "m", type: "Normal" } },
  "v1 LimitRange": {
    minimal: { spec: { limits: [{ type: "Container", max: { cpu: "2" } }] } },
    rich: {
      spec: {
        limits: [
          {
            type: "Container",
            max: { cpu: "2" },
            min: { cpu: "1m" },
            default: { cpu: "1" },
            defaultRequest: { cpu: "10m" },
            maxLimitRequestRatio: { memory: "2" },
          },
          { type: "PersistentVolumeClaim", max: { storage: "2Gi" }, min: { storage: "1Gi" } },
        ],
      },
    },
  },
  "v1 Namespace": { minimal: {}, rich: { spec: { finalizers: ["kubernetes"] } } },
  "v1 Node": {
    minimal: {},
    rich: {
      spec: {
        podCIDR: "10.1.0.0/24",
        podCIDRs: ["10.1.0.0/24"],
        providerID: "p://x",
        unschedulable: true,
        taints: [{ key: "k", value: "v", effect: "NoSchedule" }],
      },
      status: {
        capacity: { cpu: "4", memory: "8Gi", pods: "110" },
        addresses: [{ type: "InternalIP", address: "10.0.0.1" }],
        conditions: [{ type: "Ready", status: "True" }],
      },
    },
  },
  "v1 PersistentVolume": {
    minimal: {
      spec: { accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" }, hostPath: { path: "/x" } },
    },
    rich: {
      spec: {
        accessModes: ["ReadWriteOnce"],
        capacity: { storage: "1Gi" },
        csi: {
          driver: "a.b",
          volumeHandle: "h",
          fsType: "ext4",
          nodeStageSecretRef: { name: "s", namespace: "n" },
        },
        persistentVolumeReclaimPolicy: "Retain",
        storageClassName: "sc",
        mountOptions: ["ro"],
        volumeMode: "Filesystem",
        claimRef: { kind: "PersistentVolumeClaim", namespace: "n", name: "c" },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [{ matchExpressions: [{ key: "k", operator: "In", values: ["v"] }] }],
          },
        },
      },
    },
  },
  "v1 PersistentVolumeClaim": {
    minimal: { spec: claimSpec },
    rich: {
      spec: {
        ...claimSpec,
        storageClassName: "sc",
        volumeMode: "Filesystem",
        volumeName: "v",
        selector: { matchLabels: { a: "b" } },
        volumeAttributesClassName: "vac",
      },
    },
  },
  "v1 Pod": { minimal: { spec: podSpec }, rich: { spec: richPodSpec } },
  "v1 PodTemplate": { minimal: { template }, rich: { template: richTemplate } },
  "v1 ReplicationController": {
    minimal: { spec: { template } },
    rich: { spec: { replicas: 2, minReadySeconds: 1, selector: { app: "a" }, template: richTemplate } },
  },
  "v1 ResourceQuota": {
    minimal: { spec: { hard: { "count/things.example.com": "10" } } },
    rich: {
      spec: {
        hard: { pods: "1k", "requests.cpu": "1500" },
        scopes: ["NotTerminating"],
        scopeSelector: {
          matchExpressions: [{ scopeName: "PriorityClass", operator: "In", values: ["d-none"] }],
        },
      },
    },
  },
  "v1 Secret": {
    minimal: { data: { c: "ZA==" } },
    rich: { stringData: { a: "b" }, data: { c: "ZA==" }, type: "Opaque", immutable: false },
  },
  "v1 Service": {
    minimal: { spec: { ports: [{ port: 80 }] } },
    rich: {
      spec: {
        type: "LoadBalancer",
        selector: { a: "b" },
        ports: [
          { name: "web", port: 80, targetPort: "web", protocol: "TCP", appProtocol: "http" },
          { name: "dns", port: 53, targetPort: 5353, protocol: "UDP" },
        ],
        sessionAffinity: "ClientIP",
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
        externalTrafficPolicy: "Cluster",
        internalTrafficPolicy: "Local",
        ipFamilyPolicy: "SingleStack",
        ipFamilies: ["IPv4"],
        publishNotReadyAddresses: true,
        loadBalancerSourceRanges: ["10.0.0.0/8"],
        loadBalancerClass: "a.b/c",
        allocateLoadBalancerNodePorts: true,
      },
    },
  },
  "v1 ServiceAccount": {
    minimal: {},
    rich: {
      secrets: [{ name: "s" }],
      imagePullSecrets: [{ name: "r" }],
      automountServiceAccountToken: false,
    },
  },
}
