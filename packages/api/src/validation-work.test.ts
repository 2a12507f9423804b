import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { deepClone, type Kind, type KubeObject } from "@knarr/apimachinery"
import { kinds } from "./kinds.gen.ts"

interface Counter {
  reads: number
}

/** The value, which counts how often something of it is read. */
function counted(value: unknown, count: Counter): unknown {
  if (typeof value !== "object" || value === null) return value
  return new Proxy(value, {
    get(target, key) {
      count.reads++
      return counted(Reflect.get(target, key), count)
    },
  })
}

const list = <T>(length: number, item: (i: number) => T): T[] => Array.from({ length }, (_, i) => item(i))
const container = { name: "c", image: "i" }
const pod = (spec: object) => ({ spec: { containers: [container], ...spec } })
const inContainer = (fields: object) => pod({ containers: [{ ...container, ...fields }] })
const address = (i: number) => `20.0.${i >> 8}.${i & 255}`
const rules = [{ apiGroups: [""], apiVersions: ["v1"], resources: ["pods"], operations: ["CREATE"] }]

/** Long lists of every kind of thing whose items are compared with each other. */
const shapes: readonly (readonly [kind: string, what: string, make: (length: number) => object])[] = [
  ["v1/pods", "containers", (n) => pod({ containers: list(n, (i) => ({ name: `c${i}`, image: "i" })) })],
  ["v1/pods", "the same container", (n) => pod({ containers: list(n, () => container) })],
  [
    "v1/pods",
    "init containers",
    (n) => pod({ initContainers: list(n, (i) => ({ name: `i${i}`, image: "i" })) }),
  ],
  ["v1/pods", "environment", (n) => inContainer({ env: list(n, (i) => ({ name: `E${i}`, value: "v" })) })],
  [
    "v1/pods",
    "ports",
    (n) => inContainer({ ports: list(n, (i) => ({ name: `p${i}`, containerPort: i + 1 })) }),
  ],
  [
    "v1/pods",
    "host ports",
    (n) => inContainer({ ports: list(n, (i) => ({ containerPort: 1, hostPort: i + 1 })) }),
  ],
  [
    "v1/pods",
    "the same port",
    (n) => inContainer({ ports: list(n, () => ({ name: "p", containerPort: 1 })) }),
  ],
  [
    "v1/pods",
    "volumes and mounts",
    (n) =>
      pod({
        volumes: list(n, (i) => ({ name: `v${i}`, emptyDir: {} })),
        containers: [
          { ...container, volumeMounts: list(n, (i) => ({ name: `v${i}`, mountPath: `/m${i}` })) },
        ],
      }),
  ],
  [
    "v1/pods",
    "projected sources",
    (n) =>
      pod({
        volumes: [
          {
            name: "v",
            projected: {
              sources: list(n, (i) => ({ secret: { name: `s${i}`, items: [{ key: "k", path: `p${i}` }] } })),
            },
          },
        ],
      }),
  ],
  [
    "v1/pods",
    "tolerations",
    (n) => pod({ tolerations: list(n, (i) => ({ key: `k${i}`, operator: "Exists" })) }),
  ],
  [
    "v1/pods",
    "spread constraints",
    (n) =>
      pod({
        topologySpreadConstraints: list(n, (i) => ({
          maxSkew: 1,
          topologyKey: `k${i}`,
          whenUnsatisfiable: "DoNotSchedule",
          labelSelector: {},
        })),
      }),
  ],
  [
    "v1/pods",
    "host aliases",
    (n) => pod({ hostAliases: list(n, (i) => ({ ip: "10.0.0.1", hostnames: [`h${i}`] })) }),
  ],
  ["v1/pods", "scheduling gates", (n) => pod({ schedulingGates: list(n, (i) => ({ name: `g${i}` })) })],
  ["v1/pods", "pull secrets", (n) => pod({ imagePullSecrets: list(n, (i) => ({ name: `s${i}` })) })],
  [
    "v1/pods",
    "sysctls",
    (n) => pod({ securityContext: { sysctls: list(n, (i) => ({ name: `kernel.s${i}`, value: "1" })) } }),
  ],
  [
    "v1/pods",
    "claims",
    (n) => ({
      spec: {
        resourceClaims: list(n, (i) => ({ name: `s${i}`, resourceClaimName: "x" })),
        containers: [{ ...container, resources: { claims: list(n, (i) => ({ name: `s${i}` })) } }],
      },
    }),
  ],
  [
    "v1/pods",
    "node selector terms",
    (n) =>
      pod({
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: list(n, (i) => ({
                matchExpressions: [{ key: `k${i}`, operator: "Exists" }],
              })),
            },
          },
        },
      }),
  ],
  [
    "v1/services",
    "ports",
    (n) => ({
      spec: {
        type: "ClusterIP",
        sessionAffinity: "None",
        ports: list(n, (i) => ({ name: `p${i}`, port: i + 1, protocol: "TCP" })),
      },
    }),
  ],
  [
    "v1/services",
    "external addresses",
    (n) => ({
      spec: { type: "ClusterIP", ports: [{ port: 1, protocol: "TCP" }], externalIPs: list(n, address) },
    }),
  ],
  [
    "v1/endpoints",
    "addresses",
    (n) => ({
      subsets: [{ addresses: list(n, (i) => ({ ip: address(i) })), ports: [{ port: 1, protocol: "TCP" }] }],
    }),
  ],
  [
    "v1/nodes",
    "taints",
    (n) => ({ spec: { taints: list(n, (i) => ({ key: `k${i}`, effect: "NoSchedule" })) }, status: {} }),
  ],
  [
    "v1/resourcequotas",
    "scopes",
    (n) => ({ spec: { hard: { pods: "1" }, scopes: list(n, () => "Terminating") } }),
  ],
  [
    "v1/limitranges",
    "limits",
    (n) => ({ spec: { limits: list(n, (i) => ({ type: `a.io/t${i}`, max: { cpu: "1" } })) } }),
  ],
  [
    "discovery.k8s.io/v1/endpointslices",
    "ports",
    (n) => ({ addressType: "IPv4", endpoints: [], ports: list(n, (i) => ({ name: `p${i}`, port: 1 })) }),
  ],
  [
    "networking.k8s.io/v1/ingresses",
    "rules",
    (n) => ({
      spec: { rules: list(n, (i) => ({ host: `h${i}.io` })), tls: list(n, (i) => ({ hosts: [`h${i}.io`] })) },
    }),
  ],
  [
    "networking.k8s.io/v1/networkpolicies",
    "ports",
    (n) => ({ spec: { podSelector: {}, ingress: [{ ports: list(n, (i) => ({ port: i + 1 })) }] } }),
  ],
  [
    "networking.k8s.io/v1/servicecidrs",
    "ranges",
    (n) => ({ spec: { cidrs: list(n, (i) => `${address(i)}/32`) } }),
  ],
  [
    "rbac.authorization.k8s.io/v1/clusterroles",
    "rules",
    (n) => ({ rules: list(n, (i) => ({ apiGroups: [""], resources: [`r${i}`], verbs: ["get"] })) }),
  ],
  [
    "storage.k8s.io/v1/csinodes",
    "drivers",
    (n) => ({ spec: { drivers: list(n, (i) => ({ name: `d${i}.io`, nodeID: "n", topologyKeys: ["a"] })) } }),
  ],
  [
    "storage.k8s.io/v1/storageclasses",
    "topologies",
    (n) => ({
      provisioner: "a.io/b",
      allowedTopologies: list(n, (i) => ({ matchLabelExpressions: [{ key: `k${i}`, values: ["a"] }] })),
    }),
  ],
  [
    "admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    "webhooks",
    (n) => ({
      webhooks: list(n, (i) => ({
        name: `w${i}.a.io`,
        rules,
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
        clientConfig: { url: "https://a.io" },
      })),
    }),
  ],
  [
    "apiextensions.k8s.io/v1/customresourcedefinitions",
    "versions",
    (n) => ({
      spec: {
        group: "a.io",
        scope: "Namespaced",
        names: { plural: "xs", kind: "X", singular: "x", listKind: "XList" },
        versions: list(n, (i) => ({
          name: `v${i + 1}`,
          served: true,
          storage: i === 0,
          schema: { openAPIV3Schema: { type: "object" } },
        })),
      },
    }),
  ],
  [
    "resource.k8s.io/v1/resourceslices",
    "devices",
    (n) => ({
      spec: {
        driver: "d.io",
        nodeName: "n",
        pool: { name: "p", generation: 1, resourceSliceCount: 1 },
        devices: list(n, (i) => ({ name: `d${i}` })),
      },
    }),
  ],
  [
    "resource.k8s.io/v1/resourceclaims",
    "requests",
    (n) => ({
      spec: {
        devices: {
          requests: list(n, (i) => ({ name: `r${i}`, exactly: { deviceClassName: "d" } })),
          constraints: list(n, (i) => ({ requests: [`r${i}`], matchAttribute: "a.io/x" })),
        },
      },
    }),
  ],
  [
    "autoscaling/v2/horizontalpodautoscalers",
    "metrics",
    (n) => ({
      spec: {
        maxReplicas: 2,
        scaleTargetRef: { kind: "Deployment", name: "a", apiVersion: "apps/v1" },
        metrics: list(n, () => ({
          type: "Resource",
          resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 1 } },
        })),
      },
    }),
  ],
  [
    "apps/v1/statefulsets",
    "claim templates",
    (n) => ({
      spec: {
        serviceName: "s",
        selector: { matchLabels: { a: "b" } },
        template: { metadata: { labels: { a: "b" } }, spec: { containers: [container] } },
        volumeClaimTemplates: list(n, (i) => ({
          metadata: { name: `v${i}` },
          spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1" } } },
        })),
      },
    }),
  ],
  [
    "apps/v1/statefulsets",
    "volumes beside claim templates",
    (n) => ({
      spec: {
        serviceName: "s",
        selector: { matchLabels: { a: "b" } },
        template: {
          metadata: { labels: { a: "b" } },
          spec: { containers: [container], volumes: list(n, (i) => ({ name: `w${i}`, emptyDir: {} })) },
        },
        volumeClaimTemplates: list(n, (i) => ({ metadata: { name: `v${i}` }, spec: {} })),
      },
    }),
  ],
  [
    "v1/pods",
    "huge pages of containers and of the pod",
    (n) => {
      const sizes = Object.fromEntries(list(n, (i) => [`hugepages-${i}Mi`, "1"]))
      const containers = list(n, (i) => ({ name: `c${i}`, image: "i", resources: {} }))
      return {
        spec: {
          resources: { requests: sizes },
          containers: [{ ...container, resources: { limits: sizes } }, ...containers],
          initContainers: list(n, (i) => ({
            name: `i${i}`,
            image: "i",
            restartPolicy: "Always",
            resources: { limits: { [`hugepages-${i}Mi`]: "1", cpu: "1" } },
          })),
        },
      }
    },
  ],
  [
    "v1/pods",
    "annotations of containers",
    (n) => ({
      metadata: {
        name: "x",
        namespace: "n",
        annotations: Object.fromEntries(
          list(n, (i) => [`container.apparmor.security.beta.kubernetes.io/c${i}`, "runtime/default"]),
        ),
      },
      spec: { containers: list(n, (i) => ({ name: `c${i}`, image: "i" })) },
    }),
  ],
  [
    "storage.k8s.io/v1/storageclasses",
    "values of a topology",
    (n) => ({
      provisioner: "a.io/b",
      allowedTopologies: [{ matchLabelExpressions: [{ key: "k", values: list(n, (i) => `v${i}`) }] }],
    }),
  ],
  [
    "admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    "versions of a webhook",
    (n) => ({
      webhooks: [
        {
          name: "w.a.io",
          rules,
          sideEffects: "None",
          admissionReviewVersions: list(n, (i) => `v${i + 1}`),
          clientConfig: { url: "https://a.io" },
        },
      ],
    }),
  ],
  [
    "admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
    "actions, and names in rules",
    (n) => ({
      spec: {
        policyName: "p",
        validationActions: list(n, (i) => `a${i}`),
        matchResources: { resourceRules: [{ ...rules[0], resourceNames: list(n, (i) => `n${i}`) }] },
      },
    }),
  ],
]

const kindOf = new Map<string, Kind>(kinds.map((kind) => [`${kind.apiVersion}/${kind.plural}`, kind]))

function judge(kind: Kind, made: object, count: Counter): void {
  const object = {
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    metadata: { name: "x", namespace: "n" },
    status: {},
    ...made,
  }
  const filled = deepClone(object) as unknown as KubeObject
  kind.setDefaults?.(filled, 0)
  const read = counted(filled, count) as KubeObject
  kind.validate?.(read)
  kind.validateUpdate?.(read, counted(deepClone(filled), count) as KubeObject)
  kind.warnings?.(read, undefined as never)
}

describe("Validation looks at a list as often as it is long:", () => {
  for (const [name, what, make] of shapes)
    it(`${what} of ${name}`, () => {
      const reads = (length: number): number => {
        const count = { reads: 0 }
        judge(kindOf.get(name)!, make(length), count)
        return count.reads
      }
      const [once, twice] = [reads(100), reads(200)]
      assert.ok(twice < 2.3 * once, `${once} reads, then ${twice}`)
    })
})
