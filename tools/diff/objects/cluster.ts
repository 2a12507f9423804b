/** Samples. Certificates, leases, events, fairness, runtime classes and roles. */
import type { Entries } from "./entry.ts"

const certificateRequest =
  "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIVE1Ib0NBUUF3R0RFV01CUUdBMVVFQXd3TlpHbG1aaTFsZUdGdGNHeGxNRmt3RXdZSEtvWkl6ajBDQVFZSQpLb1pJemowREFRY0RRZ0FFQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg=="

export const clusterObjects: Entries = {
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
  "node.k8s.io/v1 RuntimeClass": {
    minimal: { handler: "runc" },
    rich: {
      handler: "runc",
      overhead: { podFixed: { cpu: "10m" } },
      scheduling: { nodeSelector: { a: "b" }, tolerations: [{ key: "k", operator: "Exists" }] },
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
}
