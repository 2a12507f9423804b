/**
 * What the tests of the Node authorizer and of NodeRestriction ask: objects that an administrator makes, questions
 * about what the node "n1" may, and requests that it sends. The answers of Kubernetes are in testdata/node.json;
 * tools/facts/node.ts renews them.
 */
import { createCertificateRequest, createPrivateKeyPem } from "@knarr/base"

/** The UIDs of what was made, under `<plural>/<name>`. */
export type Uids = Readonly<Record<string, string>>

export interface ScenarioObject {
  readonly resource: string
  make(uids: Uids): object
}

const at = (name: string): { name: string; namespace: string } => ({ name, namespace: "t" })
const container = { name: "c", image: "x" }

const object = (apiVersion: string, kind: string, resource: string, body: object): ScenarioObject => ({
  resource,
  make: () => ({ apiVersion, kind, ...body }),
})

const podOf = (name: string, spec: object, annotations?: object): ScenarioObject =>
  object("v1", "Pod", "pods", {
    metadata: { ...at(name), ...(annotations ? { annotations } : {}) },
    spec: { containers: [container], automountServiceAccountToken: false, ...spec },
  })

/** Every way in which a pod can name a secret or another object. */
const manyReferences = {
  imagePullSecrets: [{ name: "pull" }],
  serviceAccountName: "robot",
  initContainers: [
    {
      ...container,
      name: "i",
      env: [{ name: "A", valueFrom: { secretKeyRef: { name: "init-env", key: "k" } } }],
      envFrom: [{ configMapRef: { name: "init-env-from" } }],
    },
  ],
  containers: [
    {
      ...container,
      env: [
        { name: "A", valueFrom: { secretKeyRef: { name: "env", key: "k" } } },
        { name: "B", valueFrom: { configMapKeyRef: { name: "env", key: "k" } } },
      ],
      envFrom: [{ secretRef: { name: "env-from" } }],
    },
  ],
  volumes: [
    { name: "s", secret: { secretName: "volume" } },
    { name: "m", configMap: { name: "volume" } },
    {
      name: "p",
      projected: {
        sources: [
          { secret: { name: "projected" } },
          { configMap: { name: "projected" } },
          { serviceAccountToken: { path: "t", audience: "https://used", expirationSeconds: 3600 } },
        ],
      },
    },
    { name: "csi", csi: { driver: "inline.example.com", nodePublishSecretRef: { name: "csi" } } },
    {
      name: "i",
      iscsi: {
        targetPortal: "192.0.2.1",
        iqn: "iqn.2001-04.com.example:a",
        lun: 0,
        secretRef: { name: "iscsi" },
      },
    },
    { name: "claim", persistentVolumeClaim: { claimName: "claim" } },
    {
      name: "own",
      ephemeral: {
        volumeClaimTemplate: {
          spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
        },
      },
    },
  ],
  resourceClaims: [
    { name: "r", resourceClaimName: "direct" },
    { name: "made", resourceClaimTemplateName: "template" },
  ],
}

const mirror = { "kubernetes.io/config.mirror": "hash" }
const storage = { accessModes: ["ReadWriteOnce"], capacity: { storage: "1Gi" } }

export const objects: readonly ScenarioObject[] = [
  object("v1", "Namespace", "namespaces", { metadata: { name: "t" } }),
  ...["n1", "n2"].map((name) => object("v1", "Node", "nodes", { metadata: { name, labels: { app: "a" } } })),
  ...["default", "robot", "other"].map((name) =>
    object("v1", "ServiceAccount", "serviceaccounts", { metadata: at(name) }),
  ),
  object("storage.k8s.io/v1", "CSIDriver", "csidrivers.storage.k8s.io", {
    metadata: { name: "inline.example.com" },
    spec: { tokenRequests: [{ audience: "https://driver" }], volumeLifecycleModes: ["Ephemeral"] },
  }),
  object("storage.k8s.io/v1", "CSIDriver", "csidrivers.storage.k8s.io", {
    metadata: { name: "driver.example.com" },
    spec: { tokenRequests: [{ audience: "https://persistent" }] },
  }),
  object("v1", "PersistentVolume", "persistentvolumes", {
    metadata: { name: "bound" },
    spec: {
      ...storage,
      claimRef: at("claim"),
      csi: {
        driver: "driver.example.com",
        volumeHandle: "h",
        nodeStageSecretRef: at("stage"),
        nodePublishSecretRef: { name: "publish", namespace: "elsewhere" },
        controllerPublishSecretRef: at("controller"),
      },
    },
  }),
  object("v1", "PersistentVolume", "persistentvolumes", {
    metadata: { name: "foreign" },
    spec: {
      ...storage,
      claimRef: at("foreign-claim"),
      csi: { driver: "driver.example.com", volumeHandle: "f", nodeStageSecretRef: at("foreign-stage") },
    },
  }),
  ...["claim", "other-claim"].map((name) =>
    object("v1", "PersistentVolumeClaim", "persistentvolumeclaims", {
      metadata: at(name),
      spec: {
        accessModes: ["ReadWriteOnce"],
        resources: { requests: { storage: "1Gi" } },
        storageClassName: "",
        ...(name === "claim" ? { volumeName: "bound" } : {}),
      },
    }),
  ),
  podOf("mine", { nodeName: "n1", ...manyReferences }),
  podOf("plain", { nodeName: "n1" }),
  podOf("foreign", {
    nodeName: "n2",
    serviceAccountName: "other",
    imagePullSecrets: [{ name: "foreign-pull" }],
    volumes: [
      { name: "m", configMap: { name: "foreign" } },
      { name: "c", persistentVolumeClaim: { claimName: "foreign-claim" } },
    ],
  }),
  podOf(
    "static",
    {
      nodeName: "n1",
      containers: [
        {
          ...container,
          env: [{ name: "A", valueFrom: { configMapKeyRef: { name: "mirrored", key: "k" } } }],
        },
      ],
      volumes: [{ name: "c", persistentVolumeClaim: { claimName: "mirrored" } }],
    },
    mirror,
  ),
  ...(["n1", "n2"] as const).flatMap((nodeName) => [
    object("storage.k8s.io/v1", "VolumeAttachment", "volumeattachments.storage.k8s.io", {
      metadata: { name: `attached-${nodeName}` },
      spec: { attacher: "driver.example.com", nodeName, source: { persistentVolumeName: "bound" } },
    }),
    object("resource.k8s.io/v1", "ResourceSlice", "resourceslices.resource.k8s.io", {
      metadata: { name: `slice-${nodeName}` },
      spec: {
        driver: "driver.example.com",
        pool: { name: nodeName, generation: 1, resourceSliceCount: 1 },
        nodeName,
        devices: [{ name: "d" }],
      },
    }),
    object("storage.k8s.io/v1", "CSINode", "csinodes.storage.k8s.io", {
      metadata: { name: nodeName },
      spec: { drivers: [] },
    }),
    object("coordination.k8s.io/v1", "Lease", "leases.coordination.k8s.io", {
      metadata: { name: nodeName, namespace: "kube-node-lease" },
      spec: { holderIdentity: nodeName },
    }),
  ]),
]

/** One question, as a SubjectAccessReview asks it. */
export interface Question {
  readonly group: string
  readonly resource: string
  readonly subresource: string
  readonly namespace: string
  readonly name: string
  readonly verb: string
  /** The node that `spec.nodeName` must equal. */
  readonly selected?: string
}

const verbs = [
  "get",
  "list",
  "watch",
  "create",
  "update",
  "patch",
  "delete",
  "deletecollection",
  "impersonate",
  "escalate",
] as const

/** Group, resource, subresources, names; names with a slash are in that namespace. */
const asked: readonly (readonly [group: string, resource: string, subresources: string, names: string])[] = [
  [
    "",
    "secrets",
    ",status",
    "t/ t/pull t/init-env t/env t/env-from t/volume t/projected t/csi t/iscsi t/stage elsewhere/publish t/publish t/controller t/foreign-stage t/foreign-pull t/mirrored t/none elsewhere/pull pull",
  ],
  [
    "",
    "configmaps",
    ",status",
    "t/ t/init-env-from t/env t/volume t/projected t/foreign t/mirrored t/none elsewhere/env",
  ],
  ["", "persistentvolumeclaims", ",status", "t/ t/claim t/mine-own t/own t/foreign-claim t/mirrored t/none"],
  ["", "persistentvolumes", ",status", " bound foreign none"],
  ["resource.k8s.io", "resourceclaims", ",status", "t/ t/direct t/made t/template t/none"],
  ["resource.k8s.io", "resourceslices", ",status", " slice-n1 slice-n2 none"],
  ["resource.k8s.io", "deviceclasses", "", " a"],
  ["storage.k8s.io", "volumeattachments", ",status", " attached-n1 attached-n2 none"],
  ["storage.k8s.io", "csinodes", ",status,other", " n1 n2"],
  ["storage.k8s.io", "csidrivers", "", " driver.example.com"],
  ["storage.k8s.io", "storageclasses", "", " a"],
  ["", "serviceaccounts", ",token,other", "t/ t/robot t/default t/other t/none elsewhere/robot"],
  ["coordination.k8s.io", "leases", ",status", "kube-node-lease/ kube-node-lease/n1 kube-node-lease/n2 t/n1"],
  ["", "nodes", ",status,proxy,metrics,pods", " n1 n2 none"],
  [
    "",
    "pods",
    ",status,eviction,log,exec,binding,ephemeralcontainers,resize",
    "t/ t/mine t/foreign t/static t/none / /mine",
  ],
  ["", "services", ",status", "t/ t/a"],
  ["", "endpoints", "", "t/ t/a"],
  ["", "events", "", "t/ t/a"],
  ["events.k8s.io", "events", "", "t/ t/a"],
  ["", "namespaces", "", " t"],
  ["", "replicationcontrollers", "", "t/a"],
  ["node.k8s.io", "runtimeclasses", "", " a"],
  ["certificates.k8s.io", "certificatesigningrequests", ",approval,status,nodeclient,selfnodeclient", " a"],
  ["certificates.k8s.io", "clustertrustbundles", "", " a"],
  ["certificates.k8s.io", "podcertificaterequests", ",status", "t/ t/none"],
  ["certificates.k8s.io", "signers", "", "kubernetes.io/kubelet-serving"],
  ["authentication.k8s.io", "tokenreviews", "", ""],
  ["authentication.k8s.io", "selfsubjectreviews", "", ""],
  ["authorization.k8s.io", "subjectaccessreviews", "", ""],
  ["authorization.k8s.io", "localsubjectaccessreviews", "", "t/"],
  ["rbac.authorization.k8s.io", "clusterroles", "", " system:node"],
]

function split(resource: string, text: string): { namespace: string; name: string } {
  const slash = resource === "signers" ? -1 : text.indexOf("/")
  return { namespace: slash < 0 ? "" : text.slice(0, slash), name: text.slice(slash + 1) }
}

export const questions: readonly Question[] = [
  ...asked.flatMap(([group, resource, subresources, names]) =>
    subresources
      .split(",")
      .flatMap((subresource) =>
        names
          .split(" ")
          .flatMap((text) =>
            verbs.map((verb) => ({ group, resource, subresource, ...split(resource, text), verb })),
          ),
      ),
  ),
  ...[
    ["", "pods", "t"],
    ["", "pods", ""],
    ["resource.k8s.io", "resourceslices", ""],
    ["certificates.k8s.io", "podcertificaterequests", ""],
    ["", "secrets", "t"],
  ].flatMap(([group, resource, namespace]) =>
    ["list", "watch", "deletecollection"].flatMap((verb) =>
      ["n1", "n2", ""].map((selected) => ({
        group: group!,
        resource: resource!,
        subresource: "",
        namespace: namespace!,
        name: "",
        verb,
        selected,
      })),
    ),
  ),
]

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

/** What was answered. */
export interface Answers {
  readonly kubernetes: string
  /** Reasons of refusals by number. */
  readonly reasons: readonly string[]
  /** One number for each question: -1 for allowed, or the number of its reason. */
  readonly reviews: readonly number[]
  /** Status code and message (of a refusal) of each request. */
  readonly requests: readonly (readonly [what: string, code: number, message: string])[]
}
