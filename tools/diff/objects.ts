/** A valid object of every kind that stores some: the least that is taken, and one with many fields. */
import { kinds } from "@knarr/api"
import type { Kind } from "@knarr/apimachinery"

export interface Sample {
  readonly kind: Kind
  /** `apps.v1.Deployment` */
  readonly id: string
  /** Its name; the kind may demand a certain one. */
  readonly name: string
  /** Without apiVersion, kind and metadata. */
  readonly minimal: Record<string, unknown>
  readonly rich: Record<string, unknown>
}

const podSpec = { containers: [{ name: "c", image: "nginx" }] }
const richContainer = {
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
const richPodSpec = {
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
const template = { metadata: { labels: { app: "a" } }, spec: podSpec }
const richTemplate = {
  metadata: { labels: { app: "a" }, annotations: { "a.b/c": "d" } },
  spec: {
    containers: [
      { name: "c", image: "nginx", ports: [{ containerPort: 80 }], resources: { limits: { cpu: "1" } } },
    ],
    volumes: [{ name: "e", emptyDir: {} }],
  },
}
const selector = { matchLabels: { app: "a" } }
const jobTemplate = { spec: { ...podSpec, restartPolicy: "Never" } }
const claimSpec = { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } }
const policyRules = {
  resourceRules: [
    { apiGroups: ["none.example.com"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["things"] },
  ],
}
const webhook = {
  name: "hook.example.com",
  admissionReviewVersions: ["v1"],
  sideEffects: "None",
  clientConfig: { service: { name: "s", namespace: "n" } },
  rules: [
    {
      apiGroups: ["none.example.com"],
      apiVersions: ["v1"],
      operations: ["CREATE"],
      resources: ["things"],
      scope: "Namespaced",
    },
  ],
}
const richWebhook = {
  ...webhook,
  failurePolicy: "Ignore",
  matchPolicy: "Exact",
  timeoutSeconds: 3,
  namespaceSelector: { matchLabels: { a: "b" } },
  objectSelector: { matchExpressions: [{ key: "a", operator: "Exists" }] },
  matchConditions: [{ name: "m", expression: "true" }],
}
const mutatingPolicy = {
  matchConstraints: policyRules,
  reinvocationPolicy: "Never",
  mutations: [
    {
      patchType: "ApplyConfiguration",
      applyConfiguration: { expression: "Object{metadata: Object.metadata{}}" },
    },
  ],
}
const deviceRequests = { devices: { requests: [{ name: "r", exactly: { deviceClassName: "d" } }] } }
const richDevices = {
  devices: {
    requests: [
      {
        name: "r",
        exactly: {
          deviceClassName: "d",
          allocationMode: "ExactCount",
          count: 2,
          selectors: [{ cel: { expression: 'device.driver == "a.b"' } }],
          tolerations: [{ key: "k", operator: "Exists", effect: "NoSchedule" }],
        },
      },
      {
        name: "f",
        firstAvailable: [{ name: "x", deviceClassName: "d", count: 1, allocationMode: "ExactCount" }],
      },
    ],
    constraints: [{ requests: ["r"], matchAttribute: "a.b/c" }],
    config: [{ requests: ["r"], opaque: { driver: "a.b", parameters: { a: 1 } } }],
  },
}
const certificateRequest =
  "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIVE1Ib0NBUUF3R0RFV01CUUdBMVVFQXd3TlpHbG1aaTFsZUdGdGNHeGxNRmt3RXdZSEtvWkl6ajBDQVFZSQpLb1pJemowREFRY0RRZ0FFQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg=="

type Fields = Record<string, unknown>
/** `name` when the kind demands a certain one. */
interface Entry {
  readonly name?: string
  readonly minimal: Fields
  readonly rich?: Fields
}

const entries: Readonly<Record<string, Entry>> = {
  "admissionregistration.k8s.io/v1 MutatingAdmissionPolicy": {
    minimal: { spec: mutatingPolicy },
    rich: {
      spec: {
        ...mutatingPolicy,
        failurePolicy: "Ignore",
        matchConditions: [{ name: "m", expression: "true" }],
        variables: [{ name: "v", expression: "1" }],
        paramKind: { apiVersion: "v1", kind: "ConfigMap" },
      },
    },
  },
  "admissionregistration.k8s.io/v1 MutatingAdmissionPolicyBinding": {
    minimal: { spec: { policyName: "d-none" } },
    rich: {
      spec: {
        policyName: "d-none",
        paramRef: { name: "p", namespace: "n", parameterNotFoundAction: "Allow" },
        matchResources: {
          ...policyRules,
          namespaceSelector: { matchLabels: { a: "b" } },
          matchPolicy: "Exact",
        },
      },
    },
  },
  "admissionregistration.k8s.io/v1 MutatingWebhookConfiguration": {
    minimal: { webhooks: [webhook] },
    rich: { webhooks: [{ ...richWebhook, reinvocationPolicy: "IfNeeded" }] },
  },
  "admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy": {
    minimal: { spec: { matchConstraints: policyRules, validations: [{ expression: "true" }] } },
    rich: {
      spec: {
        matchConstraints: {
          ...policyRules,
          matchPolicy: "Exact",
          objectSelector: { matchLabels: { a: "b" } },
        },
        validations: [{ expression: "object.metadata.name != ''", message: "m", reason: "Invalid" }],
        failurePolicy: "Ignore",
        matchConditions: [{ name: "m", expression: "true" }],
        variables: [{ name: "v", expression: "1" }],
        auditAnnotations: [{ key: "k", valueExpression: "'v'" }],
        paramKind: { apiVersion: "v1", kind: "ConfigMap" },
      },
    },
  },
  "admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding": {
    minimal: { spec: { policyName: "d-none", validationActions: ["Deny"] } },
    rich: {
      spec: {
        policyName: "d-none",
        validationActions: ["Warn", "Audit"],
        paramRef: { selector: { matchLabels: { a: "b" } }, parameterNotFoundAction: "Deny" },
        matchResources: policyRules,
      },
    },
  },
  "admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration": {
    minimal: { webhooks: [webhook] },
    rich: { webhooks: [{ ...richWebhook, clientConfig: { url: "https://a.b/c" } }] },
  },
  "apiextensions.k8s.io/v1 CustomResourceDefinition": {
    name: "things.d-diff.example.com",
    minimal: {
      spec: {
        group: "d-diff.example.com",
        scope: "Namespaced",
        names: { plural: "things", kind: "Thing" },
        versions: [
          { name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } },
        ],
      },
    },
    rich: {
      spec: {
        group: "d-diff.example.com",
        scope: "Cluster",
        names: {
          plural: "things",
          singular: "thing",
          kind: "Thing",
          listKind: "ThingList",
          shortNames: ["th"],
          categories: ["all"],
        },
        versions: [
          {
            name: "v1",
            served: true,
            storage: true,
            deprecated: true,
            deprecationWarning: "w",
            schema: {
              openAPIV3Schema: {
                type: "object",
                required: ["spec"],
                properties: {
                  spec: {
                    type: "object",
                    properties: {
                      size: { type: "integer", format: "int32", minimum: 1, default: 1 },
                      list: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set" },
                    },
                  },
                  status: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
                },
              },
            },
            subresources: {
              status: {},
              scale: { specReplicasPath: ".spec.size", statusReplicasPath: ".status.size" },
            },
            additionalPrinterColumns: [{ name: "Size", type: "integer", jsonPath: ".spec.size" }],
            selectableFields: [{ jsonPath: ".spec.size" }],
          },
        ],
        conversion: { strategy: "None" },
      },
    },
  },
  "apiregistration.k8s.io/v1 APIService": {
    name: "v1.d-diff.example.com",
    minimal: {
      spec: {
        group: "d-diff.example.com",
        version: "v1",
        groupPriorityMinimum: 100,
        versionPriority: 10,
        service: { name: "s", namespace: "n" },
        insecureSkipTLSVerify: true,
      },
    },
  },
  "apps/v1 ControllerRevision": { minimal: { revision: 1, data: { a: 1 } } },
  "apps/v1 DaemonSet": {
    minimal: { spec: { selector, template } },
    rich: {
      spec: {
        selector: {
          matchLabels: { app: "a" },
          matchExpressions: [{ key: "app", operator: "In", values: ["a"] }],
        },
        template: richTemplate,
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
        minReadySeconds: 1,
        revisionHistoryLimit: 2,
      },
    },
  },
  "apps/v1 Deployment": {
    minimal: { spec: { selector, template } },
    rich: {
      spec: {
        replicas: 2,
        selector: {
          matchLabels: { app: "a" },
          matchExpressions: [{ key: "app", operator: "In", values: ["a"] }],
        },
        template: richTemplate,
        strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "25%", maxSurge: 1 } },
        minReadySeconds: 1,
        revisionHistoryLimit: 2,
        progressDeadlineSeconds: 30,
        paused: true,
      },
    },
  },
  "apps/v1 ReplicaSet": {
    minimal: { spec: { selector, template } },
    rich: { spec: { replicas: 2, minReadySeconds: 1, selector, template: richTemplate } },
  },
  "apps/v1 StatefulSet": {
    minimal: { spec: { selector, serviceName: "s", template } },
    rich: {
      spec: {
        selector,
        serviceName: "s",
        replicas: 2,
        template: richTemplate,
        podManagementPolicy: "Parallel",
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 1 } },
        revisionHistoryLimit: 2,
        minReadySeconds: 1,
        volumeClaimTemplates: [{ metadata: { name: "data" }, spec: claimSpec }],
        persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Retain" },
        ordinals: { start: 1 },
      },
    },
  },
  "autoscaling/v1 HorizontalPodAutoscaler": {
    minimal: {
      spec: { maxReplicas: 5, scaleTargetRef: { kind: "Deployment", name: "d", apiVersion: "apps/v1" } },
    },
    rich: {
      spec: {
        minReplicas: 2,
        maxReplicas: 5,
        targetCPUUtilizationPercentage: 40,
        scaleTargetRef: { kind: "Deployment", name: "d", apiVersion: "apps/v1" },
      },
    },
  },
  "autoscaling/v2 HorizontalPodAutoscaler": {
    minimal: {
      spec: { maxReplicas: 5, scaleTargetRef: { kind: "Deployment", name: "d", apiVersion: "apps/v1" } },
    },
    rich: {
      spec: {
        minReplicas: 2,
        maxReplicas: 5,
        scaleTargetRef: { kind: "Deployment", name: "d", apiVersion: "apps/v1" },
        behavior: {
          scaleUp: {
            stabilizationWindowSeconds: 0,
            selectPolicy: "Max",
            policies: [{ type: "Pods", value: 4, periodSeconds: 15 }],
          },
          scaleDown: {
            stabilizationWindowSeconds: 60,
            policies: [{ type: "Percent", value: 10, periodSeconds: 60 }],
          },
        },
        metrics: [
          {
            type: "Resource",
            resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } },
          },
          {
            type: "Pods",
            pods: {
              metric: { name: "m", selector: { matchLabels: { a: "b" } } },
              target: { type: "AverageValue", averageValue: "1" },
            },
          },
          {
            type: "Object",
            object: {
              metric: { name: "o" },
              describedObject: { kind: "Service", name: "s", apiVersion: "v1" },
              target: { type: "Value", value: "2" },
            },
          },
          { type: "External", external: { metric: { name: "e" }, target: { type: "Value", value: "3" } } },
          {
            type: "ContainerResource",
            containerResource: {
              name: "memory",
              container: "c",
              target: { type: "AverageValue", averageValue: "1Mi" },
            },
          },
        ],
      },
    },
  },
  "batch/v1 CronJob": {
    minimal: { spec: { schedule: "*/5 * * * *", jobTemplate: { spec: { template: jobTemplate } } } },
    rich: {
      spec: {
        schedule: "0 1 * * 1",
        timeZone: "Etc/UTC",
        startingDeadlineSeconds: 10,
        concurrencyPolicy: "Forbid",
        suspend: true,
        successfulJobsHistoryLimit: 1,
        failedJobsHistoryLimit: 2,
        jobTemplate: {
          metadata: { labels: { a: "b" } },
          spec: { template: jobTemplate, backoffLimit: 3, parallelism: 2 },
        },
      },
    },
  },
  "batch/v1 Job": {
    minimal: { spec: { template: jobTemplate } },
    rich: {
      spec: {
        parallelism: 2,
        completions: 3,
        activeDeadlineSeconds: 100,
        backoffLimit: 2,
        backoffLimitPerIndex: 1,
        maxFailedIndexes: 1,
        completionMode: "Indexed",
        ttlSecondsAfterFinished: 5,
        suspend: true,
        podReplacementPolicy: "Failed",
        podFailurePolicy: {
          rules: [
            { action: "FailJob", onExitCodes: { containerName: "c", operator: "In", values: [1, 2] } },
            { action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
          ],
        },
        successPolicy: { rules: [{ succeededIndexes: "0-1", succeededCount: 1 }] },
        template: jobTemplate,
      },
    },
  },
  "certificates.k8s.io/v1 CertificateSigningRequest": {
    minimal: { spec: { request: certificateRequest, signerName: "example.com/s", usages: ["client auth"] } },
    rich: {
      spec: {
        request: certificateRequest,
        signerName: "example.com/s",
        usages: ["client auth", "digital signature"],
        expirationSeconds: 600,
        username: "someone",
        groups: ["g"],
      },
    },
  },
  "certificates.k8s.io/v1 ClusterTrustBundle": { minimal: { spec: { trustBundle: "none" } } },
  "certificates.k8s.io/v1 PodCertificateRequest": {
    minimal: {
      spec: {
        signerName: "example.com/s",
        podName: "p",
        podUID: "11111111-2222-3333-4444-555555555555",
        serviceAccountName: "default",
        serviceAccountUID: "11111111-2222-3333-4444-555555555555",
        nodeName: "n",
        nodeUID: "11111111-2222-3333-4444-555555555555",
        maxExpirationSeconds: 3600,
        stubPKCS10Request: "AAAA",
      },
    },
  },
  "coordination.k8s.io/v1 Lease": {
    minimal: { spec: { holderIdentity: "me" } },
    rich: {
      spec: {
        holderIdentity: "me",
        leaseDurationSeconds: 5,
        leaseTransitions: 1,
        acquireTime: "2020-01-01T00:00:00.000000Z",
        renewTime: "2020-01-01T00:00:00.123456Z",
      },
    },
  },
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
  "discovery.k8s.io/v1 EndpointSlice": {
    minimal: { addressType: "IPv4", endpoints: [{ addresses: ["10.0.0.1"] }], ports: [{ port: 80 }] },
    rich: {
      addressType: "IPv4",
      endpoints: [
        {
          addresses: ["10.0.0.1"],
          conditions: { ready: true, serving: true, terminating: false },
          hostname: "h",
          nodeName: "n",
          zone: "z",
          targetRef: { kind: "Pod", name: "p", namespace: "n" },
          hints: { forZones: [{ name: "z" }] },
        },
      ],
      ports: [{ name: "web", port: 80, protocol: "TCP", appProtocol: "http" }],
    },
  },
  "events.k8s.io/v1 Event": {
    minimal: {
      regarding: {},
      reason: "R",
      note: "m",
      type: "Normal",
      action: "A",
      reportingController: "a.b/c",
      reportingInstance: "i",
      eventTime: "2020-01-01T00:00:00.000000Z",
    },
  },
  "flowcontrol.apiserver.k8s.io/v1 FlowSchema": {
    minimal: { spec: { priorityLevelConfiguration: { name: "global-default" } } },
    rich: {
      spec: {
        priorityLevelConfiguration: { name: "global-default" },
        matchingPrecedence: 9000,
        distinguisherMethod: { type: "ByUser" },
        rules: [
          {
            subjects: [{ kind: "User", user: { name: "d-nobody" } }],
            resourceRules: [
              { verbs: ["get"], apiGroups: ["none.example.com"], resources: ["things"], namespaces: ["n"] },
            ],
            nonResourceRules: [{ verbs: ["get"], nonResourceURLs: ["/none"] }],
          },
        ],
      },
    },
  },
  "flowcontrol.apiserver.k8s.io/v1 PriorityLevelConfiguration": {
    minimal: { spec: { type: "Limited", limited: { limitResponse: { type: "Reject" } } } },
    rich: {
      spec: {
        type: "Limited",
        limited: {
          nominalConcurrencyShares: 1,
          lendablePercent: 10,
          borrowingLimitPercent: 20,
          limitResponse: { type: "Queue", queuing: { queues: 4, handSize: 2, queueLengthLimit: 5 } },
        },
      },
    },
  },
  "networking.k8s.io/v1 Ingress": {
    minimal: { spec: { defaultBackend: { service: { name: "s", port: { number: 80 } } } } },
    rich: {
      spec: {
        ingressClassName: "c",
        defaultBackend: { service: { name: "s", port: { name: "web" } } },
        tls: [{ hosts: ["a.b"], secretName: "t" }],
        rules: [
          {
            host: "a.b",
            http: {
              paths: [
                { path: "/", pathType: "Prefix", backend: { service: { name: "s", port: { number: 80 } } } },
                {
                  path: "/x",
                  pathType: "Exact",
                  backend: { resource: { apiGroup: "g.h", kind: "K", name: "n" } },
                },
              ],
            },
          },
        ],
      },
    },
  },
  "networking.k8s.io/v1 IngressClass": {
    minimal: { spec: { controller: "a.b/c" } },
    rich: {
      spec: {
        controller: "a.b/c",
        parameters: { kind: "K", name: "n", apiGroup: "g.h", scope: "Namespace", namespace: "x" },
      },
    },
  },
  "networking.k8s.io/v1 IPAddress": {
    name: "192.0.2.77",
    minimal: { spec: { parentRef: { resource: "services", namespace: "n", name: "s" } } },
    rich: { spec: { parentRef: { group: "g.h", resource: "things", namespace: "n", name: "s" } } },
  },
  "networking.k8s.io/v1 NetworkPolicy": {
    minimal: { spec: { podSelector: {} } },
    rich: {
      spec: {
        podSelector: { matchLabels: { a: "b" } },
        policyTypes: ["Ingress", "Egress"],
        ingress: [
          {
            from: [
              { ipBlock: { cidr: "10.0.0.0/8", except: ["10.1.0.0/16"] } },
              { podSelector: { matchLabels: { a: "b" } }, namespaceSelector: {} },
            ],
            ports: [{ port: 80, endPort: 90, protocol: "TCP" }],
          },
        ],
        egress: [{ to: [{ namespaceSelector: { matchLabels: { a: "b" } } }], ports: [{ port: "web" }] }],
      },
    },
  },
  "networking.k8s.io/v1 ServiceCIDR": { minimal: { spec: { cidrs: ["192.0.2.0/28"] } } },
  "node.k8s.io/v1 RuntimeClass": {
    minimal: { handler: "runc" },
    rich: {
      handler: "runc",
      overhead: { podFixed: { cpu: "10m" } },
      scheduling: { nodeSelector: { a: "b" }, tolerations: [{ key: "k", operator: "Exists" }] },
    },
  },
  "policy/v1 PodDisruptionBudget": {
    minimal: { spec: { minAvailable: 1, selector: { matchLabels: { a: "b" } } } },
    rich: {
      spec: {
        maxUnavailable: "50%",
        unhealthyPodEvictionPolicy: "AlwaysAllow",
        selector: { matchExpressions: [{ key: "a", operator: "NotIn", values: ["b"] }] },
      },
    },
  },
  "rbac.authorization.k8s.io/v1 ClusterRole": {
    minimal: { rules: [{ verbs: ["get"], apiGroups: [""], resources: ["pods"] }] },
    rich: {
      aggregationRule: { clusterRoleSelectors: [{ matchLabels: { "d-none": "x" } }] },
      rules: [
        { verbs: ["get"], apiGroups: [""], resources: ["pods"], resourceNames: ["p"] },
        { verbs: ["get"], nonResourceURLs: ["/x"] },
      ],
    },
  },
  "rbac.authorization.k8s.io/v1 ClusterRoleBinding": {
    minimal: { roleRef: { kind: "ClusterRole", name: "view", apiGroup: "rbac.authorization.k8s.io" } },
    rich: {
      roleRef: { kind: "ClusterRole", name: "view", apiGroup: "rbac.authorization.k8s.io" },
      subjects: [
        { kind: "User", name: "d-u", apiGroup: "rbac.authorization.k8s.io" },
        { kind: "Group", name: "d-g" },
        { kind: "ServiceAccount", name: "s", namespace: "n" },
      ],
    },
  },
  "rbac.authorization.k8s.io/v1 Role": {
    minimal: { rules: [{ verbs: ["get"], apiGroups: [""], resources: ["pods"] }] },
    rich: {
      rules: [
        {
          verbs: ["get", "*"],
          apiGroups: ["", "apps"],
          resources: ["pods", "deployments/scale"],
          resourceNames: ["p"],
        },
      ],
    },
  },
  "rbac.authorization.k8s.io/v1 RoleBinding": {
    minimal: { roleRef: { kind: "Role", name: "r", apiGroup: "rbac.authorization.k8s.io" } },
    rich: {
      roleRef: { kind: "ClusterRole", name: "view", apiGroup: "rbac.authorization.k8s.io" },
      subjects: [
        { kind: "User", name: "d-u", apiGroup: "rbac.authorization.k8s.io" },
        { kind: "ServiceAccount", name: "s", namespace: "n" },
      ],
    },
  },
  "resource.k8s.io/v1 DeviceClass": {
    minimal: { spec: {} },
    rich: {
      spec: {
        selectors: [{ cel: { expression: 'device.driver == "a.b"' } }],
        config: [{ opaque: { driver: "a.b", parameters: { a: 1 } } }],
        extendedResourceName: "a.b/c",
      },
    },
  },
  "resource.k8s.io/v1 DeviceTaintRule": {
    minimal: {
      spec: { deviceSelector: { driver: "d-none.example.com" }, taint: { key: "k", effect: "NoSchedule" } },
    },
    rich: {
      spec: {
        deviceSelector: { driver: "d-none.example.com", pool: "p", device: "d" },
        taint: { key: "k", value: "v", effect: "NoExecute" },
      },
    },
  },
  "resource.k8s.io/v1 ResourceClaim": { minimal: { spec: deviceRequests }, rich: { spec: richDevices } },
  "resource.k8s.io/v1 ResourceClaimTemplate": {
    minimal: { spec: { spec: deviceRequests } },
    rich: { spec: { metadata: { labels: { a: "b" }, annotations: { c: "d" } }, spec: richDevices } },
  },
  "resource.k8s.io/v1 ResourceSlice": {
    minimal: {
      spec: {
        driver: "a.b",
        pool: { name: "p", resourceSliceCount: 1 },
        nodeName: "n",
        devices: [{ name: "d" }],
      },
    },
    rich: {
      spec: {
        driver: "a.b",
        pool: { name: "p", generation: 1, resourceSliceCount: 1 },
        nodeSelector: {
          nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: ["n"] }] }],
        },
        devices: [
          {
            name: "d",
            attributes: {
              a: { int: 1 },
              b: { string: "s" },
              c: { bool: true },
              "x.y/v": { version: "1.2.3" },
            },
            capacity: { mem: { value: "1Gi" } },
            taints: [{ key: "k", effect: "NoSchedule" }],
          },
        ],
      },
    },
  },
  "scheduling.k8s.io/v1 PriorityClass": {
    minimal: { value: 5 },
    rich: { value: 5, globalDefault: false, description: "t", preemptionPolicy: "Never" },
  },
  "storage.k8s.io/v1 CSIDriver": {
    minimal: { spec: {} },
    rich: {
      spec: {
        attachRequired: false,
        podInfoOnMount: true,
        storageCapacity: true,
        requiresRepublish: true,
        seLinuxMount: false,
        fsGroupPolicy: "File",
        volumeLifecycleModes: ["Ephemeral"],
        tokenRequests: [{ audience: "a", expirationSeconds: 600 }],
        nodeAllocatableUpdatePeriodSeconds: 10,
      },
    },
  },
  "storage.k8s.io/v1 CSINode": {
    minimal: { spec: { drivers: [] } },
    rich: {
      spec: { drivers: [{ name: "a.b", nodeID: "n", topologyKeys: ["k"], allocatable: { count: 3 } }] },
    },
  },
  "storage.k8s.io/v1 CSIStorageCapacity": {
    minimal: { storageClassName: "sc" },
    rich: {
      storageClassName: "sc",
      capacity: "1Gi",
      maximumVolumeSize: "512Mi",
      nodeTopology: { matchLabels: { a: "b" } },
    },
  },
  "storage.k8s.io/v1 StorageClass": {
    minimal: { provisioner: "a.b/c" },
    rich: {
      provisioner: "a.b/c",
      parameters: { p: "q" },
      reclaimPolicy: "Retain",
      mountOptions: ["ro"],
      allowVolumeExpansion: true,
      volumeBindingMode: "WaitForFirstConsumer",
      allowedTopologies: [{ matchLabelExpressions: [{ key: "zone", values: ["z"] }] }],
    },
  },
  "storage.k8s.io/v1 VolumeAttachment": {
    minimal: { spec: { attacher: "a.b", nodeName: "n", source: { persistentVolumeName: "pv" } } },
  },
  "storage.k8s.io/v1 VolumeAttributesClass": {
    minimal: { driverName: "a.b" },
    rich: { driverName: "a.b", parameters: { p: "q" } },
  },
  "storagemigration.k8s.io/v1 StorageVersionMigration": {
    minimal: { spec: { resource: { group: "apps", resource: "deployments" } } },
  },
}

/** One for each kind whose objects are stored, with names that scripts of another `group` do not have. */
export function samplesOf(group: string): Sample[] {
  return kinds
    .filter((kind) => kind.verbs.includes("update"))
    .map((kind) => {
      const entry = entries[`${kind.apiVersion} ${kind.kind}`]
      if (!entry)
        throw new Error(`Cannot ask for ${kind.apiVersion} ${kind.kind}: it has no sample in objects.ts`)
      const own = JSON.parse(JSON.stringify(entry).replaceAll("d-diff", `d-${group}`)) as Entry
      return {
        kind,
        id: `${kind.group === "" ? "core" : kind.group.split(".")[0]}.${kind.version}.${kind.kind}`,
        name: own.name ?? `d-${group}-${kind.kind.toLowerCase()}`,
        minimal: own.minimal,
        rich: own.rich ?? own.minimal,
      }
    })
}

export function objectOf(
  sample: Sample,
  which: "minimal" | "rich",
  metadata: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    apiVersion: sample.kind.apiVersion,
    kind: sample.kind.kind,
    metadata: { name: sample.name, ...metadata },
    ...structuredClone(sample[which]),
  }
}

/** The path of a collection. */
export function collectionOf({ group, version, plural, namespaced }: Kind, namespace: string): string {
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`
  return namespaced ? `${root}/namespaces/${namespace}/${plural}` : `${root}/${plural}`
}
