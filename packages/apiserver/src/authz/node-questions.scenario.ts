/** Questions about what the node "n1" may: each kind that it has to do with, in every verb. */

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
