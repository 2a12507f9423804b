/** What an administrator makes before the node "n1" asks. */

/** The UIDs of what was made, under `<plural>/<name>`. */
export type Uids = Readonly<Record<string, string>>

export interface ScenarioObject {
  readonly resource: string
  make(uids: Uids): object
}

export const at = (name: string): { name: string; namespace: string } => ({ name, namespace: "t" })
export const container = { name: "c", image: "x" }

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
export const manyReferences = {
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

export const mirror = { "kubernetes.io/config.mirror": "hash" }
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
