/** Requests that a node sends, which NodeRestriction looks at. */
import { createCertificateRequest, createPrivateKeyPem } from "@knarr/base"
import { at, container, manyReferences, mirror, type Uids } from "./node-objects.scenario.ts"

/** One request of a node. */
export interface Request {
  readonly what: string
  /** Default `n1`. */
  readonly as?: string
  readonly verb: "create" | "patch" | "delete"
  readonly group: string
  readonly version: string
  readonly resource: string
  readonly namespace?: string
  readonly name: string
  readonly subresource?: string
  /** What is created, or a merge patch. */
  body?(uids: Uids): object
}

const core = { group: "", version: "v1" }
const nodes = { ...core, resource: "nodes" }
const pods = { ...core, resource: "pods", namespace: "t" }

const mirrorPod = (spec: object, metadata: object = {}): ((uids: Uids) => object) => {
  return (uids) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...at("new"),
      annotations: mirror,
      ownerReferences: [owner(uids["nodes/n1"]!)],
      ...metadata,
    },
    spec: { containers: [container], nodeName: "n1", ...spec },
  })
}

const owner = (uid: string, change: object = {}): object => ({
  apiVersion: "v1",
  kind: "Node",
  name: "n1",
  uid,
  controller: true,
  ...change,
})

const createMirror = (what: string, spec: object): Request => ({
  what: `mirror pod: ${what}`,
  verb: "create",
  ...pods,
  name: "new",
  body: mirrorPod(spec),
})

const ownedMirror = (what: string, owners: (uid: string) => object[]): Request => ({
  what: `mirror pod: ${what}`,
  verb: "create",
  ...pods,
  name: "new",
  body: (uids) => mirrorPod({}, { ownerReferences: owners(uids["nodes/n1"]!) })(uids),
})

const volume = (source: object): object => ({ volumes: [{ name: "v", ...source }] })
const projected = (source: object): object => volume({ projected: { sources: [source] } })
const withEnv = (change: object): object => ({ containers: [{ ...container, ...change }] })

const patchNode = (what: string, body: object, subresource = "", name = "n1"): Request => ({
  what: `node: ${what}`,
  verb: "patch",
  ...nodes,
  name,
  subresource,
  body: () => body,
})

const podStatus = (what: string, body: object, name = "mine"): Request => ({
  what: `pod status: ${what}`,
  verb: "patch",
  ...pods,
  name,
  subresource: "status",
  body: () => body,
})

const token = (
  what: string,
  account: string,
  podName: string,
  spec: object = {},
  bound: object = {},
): Request => ({
  what: `token: ${what}`,
  verb: "create",
  ...core,
  resource: "serviceaccounts",
  namespace: "t",
  name: account,
  subresource: "token",
  body: (uids) => ({
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: {
      audiences: [],
      boundObjectRef: {
        apiVersion: "v1",
        kind: "Pod",
        name: podName,
        uid: uids[`pods/${podName}`],
        ...bound,
      },
      ...spec,
    },
  }),
})

const key = createPrivateKeyPem()
const signing = (what: string, signerName: string, commonName: string): Request => ({
  what: `signing request: ${what}`,
  verb: "create",
  group: "certificates.k8s.io",
  version: "v1",
  resource: "certificatesigningrequests",
  name: "new",
  body: () => ({
    apiVersion: "certificates.k8s.io/v1",
    kind: "CertificateSigningRequest",
    metadata: { name: "new" },
    spec: {
      signerName,
      usages: ["client auth"],
      request: Buffer.from(
        createCertificateRequest({ commonName, organizations: ["system:nodes"] }, key),
      ).toString("base64"),
    },
  }),
})

const claimStatus = (what: string, body: object): Request => ({
  what: `claim: ${what}`,
  verb: "patch",
  ...core,
  resource: "persistentvolumeclaims",
  namespace: "t",
  name: "claim",
  subresource: "status",
  body: () => body,
})

const own = (
  resource: string,
  group: string,
  kind: string,
  name: string,
  spec: object,
  namespace?: string,
): Request => ({
  what: `${resource}: create ${name}${namespace ? ` in ${namespace}` : ""}`,
  as: "n3",
  verb: "create",
  group,
  version: "v1",
  resource,
  ...(namespace ? { namespace } : {}),
  name,
  body: () => ({
    apiVersion: `${group}/v1`,
    kind,
    metadata: { name, ...(namespace ? { namespace } : {}) },
    spec,
  }),
})

const slice = (what: string, spec: object): Request => ({
  what: `slice: ${what}`,
  verb: "create",
  group: "resource.k8s.io",
  version: "v1",
  resource: "resourceslices",
  name: "new",
  body: () => ({
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceSlice",
    metadata: { name: "new" },
    spec: {
      driver: "driver.example.com",
      pool: { name: "p", generation: 1, resourceSliceCount: 1 },
      devices: [{ name: "d" }],
      ...spec,
    },
  }),
})

const condition = { type: "Ready", status: "True" }

export const requests: readonly Request[] = [
  createMirror("plain", {}),
  createMirror("on another node", { nodeName: "n2" }),
  createMirror("a service account", { serviceAccountName: "robot" }),
  createMirror("an image pull secret", { imagePullSecrets: [{ name: "s" }] }),
  createMirror(
    "a secret in env",
    withEnv({ env: [{ name: "A", valueFrom: { secretKeyRef: { name: "s", key: "k" } } }] }),
  ),
  createMirror("a secret in envFrom", withEnv({ envFrom: [{ secretRef: { name: "s" } }] })),
  createMirror(
    "a config map in env",
    withEnv({ env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "s", key: "k" } } }] }),
  ),
  createMirror("a config map in envFrom", withEnv({ envFrom: [{ configMapRef: { name: "s" } }] })),
  createMirror("an init container's secret", {
    initContainers: [{ ...container, name: "i", envFrom: [{ secretRef: { name: "s" } }] }],
  }),
  createMirror("a secret volume", volume({ secret: { secretName: "s" } })),
  createMirror("a config map volume", volume({ configMap: { name: "s" } })),
  createMirror("a claim", volume({ persistentVolumeClaim: { claimName: "s" } })),
  createMirror("an ephemeral claim", volume(manyReferences.volumes[6]!)),
  createMirror("a CSI volume", volume({ csi: { driver: "d.example.com" } })),
  createMirror(
    "a CSI volume with a secret",
    volume({ csi: { driver: "d.example.com", nodePublishSecretRef: { name: "s" } } }),
  ),
  createMirror("an iSCSI secret", volume(manyReferences.volumes[4]!)),
  createMirror("Azure files", volume({ azureFile: { secretName: "s", shareName: "a" } })),
  createMirror("Gluster", volume({ glusterfs: { endpoints: "e", path: "p" } })),
  createMirror("projected secret", projected({ secret: { name: "s" } })),
  createMirror("projected config map", projected({ configMap: { name: "s" } })),
  createMirror("projected token", projected({ serviceAccountToken: { path: "t" } })),
  createMirror("projected trust bundle", projected({ clusterTrustBundle: { name: "b", path: "p" } })),
  createMirror(
    "projected certificate",
    projected({
      podCertificate: { signerName: "example.com/s", keyType: "ED25519", credentialBundlePath: "p" },
    }),
  ),
  createMirror(
    "projected downward API",
    projected({ downwardAPI: { items: [{ path: "a", fieldRef: { fieldPath: "metadata.name" } }] } }),
  ),
  createMirror(
    "downward API",
    volume({ downwardAPI: { items: [{ path: "a", fieldRef: { fieldPath: "metadata.name" } }] } }),
  ),
  createMirror("empty directory", volume({ emptyDir: {} })),
  createMirror("host path", volume({ hostPath: { path: "/tmp" } })),
  createMirror("resource claims", { resourceClaims: [{ name: "r", resourceClaimName: "c" }] }),
  ownedMirror("no owner", () => []),
  ownedMirror("two owners", (uid) => [owner(uid), owner(uid, { name: "n2", controller: false })]),
  ownedMirror("another owner", (uid) => [owner(uid, { name: "n2" })]),
  ownedMirror("an owner of another kind", (uid) => [owner(uid, { kind: "Pod" })]),
  ownedMirror("no controller", (uid) => [owner(uid, { controller: false })]),
  ownedMirror("blocking", (uid) => [owner(uid, { blockOwnerDeletion: true })]),
  {
    what: "a pod that is no mirror",
    verb: "create",
    ...pods,
    name: "new",
    body: (uids) => mirrorPod({}, { annotations: {} })(uids),
  },
  { what: "pod: delete own", verb: "delete", ...pods, name: "plain" },
  { what: "pod: delete foreign", verb: "delete", ...pods, name: "foreign" },
  { what: "pod: delete none", verb: "delete", ...pods, name: "none" },
  {
    what: "pod: patch",
    verb: "patch",
    ...pods,
    name: "mine",
    body: () => ({ metadata: { labels: { a: "b" } } }),
  },
  ...["mine", "foreign", "none"].map((name): Request => ({
    what: `pod: evict ${name}`,
    verb: "create",
    ...pods,
    name,
    subresource: "eviction",
    body: () => ({ apiVersion: "policy/v1", kind: "Eviction", metadata: at(name) }),
  })),
  podStatus("own", { status: { conditions: [condition] } }),
  podStatus("foreign", { status: { conditions: [condition] } }, "foreign"),
  podStatus("labels", { metadata: { labels: { a: "b" } } }),
  podStatus("claims", { status: { resourceClaimStatuses: [{ name: "made", resourceClaimName: "stolen" }] } }),
  podStatus("extended claim", {
    status: {
      extendedResourceClaimStatus: {
        resourceClaimName: "stolen",
        requestMappings: [{ containerName: "c", resourceName: "example.com/r", requestName: "r" }],
      },
    },
  }),
  patchNode("own status", { status: { conditions: [condition] } }, "status"),
  patchNode("foreign status", { status: { conditions: [condition] } }, "status", "n2"),
  patchNode("foreign", { metadata: { labels: { a: "b" } } }, "", "n2"),
  patchNode("taints", { spec: { taints: [{ key: "a", effect: "NoSchedule" }] } }),
  patchNode("owners", {
    metadata: { ownerReferences: [{ apiVersion: "v1", kind: "Node", name: "n2", uid: "1" }] },
  }),
  patchNode(
    "owners by status",
    {
      metadata: { ownerReferences: [{ apiVersion: "v1", kind: "Node", name: "n2", uid: "1" }] },
    },
    "status",
  ),
  ...[
    "plain",
    "example.com/a",
    "kubernetes.io/hostname",
    "kubernetes.io/other",
    "topology.kubernetes.io/zone",
    "node-role.kubernetes.io/control-plane",
    "node-restriction.kubernetes.io/a",
    "x.node-restriction.kubernetes.io/a",
    "kubelet.kubernetes.io/a",
    "x.kubelet.kubernetes.io/a",
    "node.kubernetes.io/a",
    "x.k8s.io/a",
  ].flatMap((label) => [
    patchNode(`label ${label}`, { metadata: { labels: { [label]: "v" } } }),
    patchNode(`label ${label} by status`, { metadata: { labels: { [label]: "v" } } }, "status"),
  ]),
  ...["n3", "n4"].map((name): Request => ({
    what: `node: n3 creates ${name}`,
    as: "n3",
    verb: "create",
    ...nodes,
    name,
    body: () => ({ apiVersion: "v1", kind: "Node", metadata: { name } }),
  })),
  {
    what: "node: create with a role",
    as: "n3",
    verb: "create",
    ...nodes,
    name: "n3",
    body: () => ({
      apiVersion: "v1",
      kind: "Node",
      metadata: { name: "n3", labels: { "node-role.kubernetes.io/x": "", "kubernetes.io/b": "" } },
    }),
  },
  { what: "node: delete own", verb: "delete", ...nodes, name: "n1" },
  token("default audience", "robot", "mine"),
  token("projected audience", "robot", "mine", { audiences: ["https://used"] }),
  token("inline driver's audience", "robot", "mine", { audiences: ["https://driver"] }),
  token("volume driver's audience", "robot", "mine", { audiences: ["https://persistent"] }),
  token("foreign audience", "robot", "mine", { audiences: ["https://vault.example.com"] }),
  token("two audiences", "robot", "mine", { audiences: ["https://used", "https://driver"] }),
  token("no audience is used by the pod", "default", "plain"),
  token("audience of a pod without volumes", "default", "plain", { audiences: ["https://used"] }),
  token("foreign pod", "other", "foreign"),
  token("no uid", "robot", "mine", {}, { uid: undefined }),
  token("wrong uid", "robot", "mine", {}, { uid: "1" }),
  token("bound to the node", "robot", "mine", {}, { kind: "Node", name: "n1" }),
  token("unbound", "robot", "mine", { boundObjectRef: undefined }),
  signing("own client", "kubernetes.io/kube-apiserver-client-kubelet", "system:node:n1"),
  signing("foreign client", "kubernetes.io/kube-apiserver-client-kubelet", "system:node:n2"),
  signing("foreign serving", "kubernetes.io/kubelet-serving", "system:node:n2"),
  signing("another signer", "example.com/s", "system:node:n2"),
  claimStatus("capacity", { status: { capacity: { storage: "2Gi" } } }),
  claimStatus("conditions", { status: { conditions: [{ type: "Resizing", status: "True" }] } }),
  own("leases", "coordination.k8s.io", "Lease", "n3", { holderIdentity: "a" }, "kube-node-lease"),
  own("leases", "coordination.k8s.io", "Lease", "n4", { holderIdentity: "a" }, "kube-node-lease"),
  own("leases", "coordination.k8s.io", "Lease", "n3", { holderIdentity: "a" }, "t"),
  own("csinodes", "storage.k8s.io", "CSINode", "n3", { drivers: [] }),
  own("csinodes", "storage.k8s.io", "CSINode", "n4", { drivers: [] }),
  slice("own", { nodeName: "n1" }),
  slice("foreign", { nodeName: "n2" }),
  slice("all nodes", { allNodes: true }),
  ...["slice-n1", "slice-n2"].map((name): Request => ({
    what: `slice: delete ${name}`,
    verb: "delete",
    group: "resource.k8s.io",
    version: "v1",
    resource: "resourceslices",
    name,
  })),
]
