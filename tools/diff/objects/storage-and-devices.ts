/** Samples. Storage and devices. */
import type { Entries } from "./entry.ts"

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

export const storageAndDevicesObjects: Entries = {
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
