/**
 * The names that `--controllers` knows, and what such a list means.
 * Mirrors: cmd/kube-controller-manager/names, controller-manager pkg/options/generic.go,
 * cloud-provider app/controllermanager.go (IsControllerEnabled)
 */

/** All of Kubernetes 1.37, also those that nobody needs here, with their former names. */
export const controllerNames: ReadonlyMap<string, readonly string[]> = new Map([
  ["bootstrap-signer-controller", ["bootstrapsigner"]],
  ["certificatesigningrequest-approving-controller", ["csrapproving"]],
  ["certificatesigningrequest-cleaner-controller", ["csrcleaner"]],
  ["certificatesigningrequest-signing-controller", ["csrsigning"]],
  ["clusterrole-aggregation-controller", ["clusterrole-aggregation"]],
  ["cronjob-controller", ["cronjob"]],
  ["daemonset-controller", ["daemonset"]],
  ["deployment-controller", ["deployment"]],
  ["device-taint-eviction-controller", []],
  ["disruption-controller", ["disruption"]],
  ["endpoints-controller", ["endpoint"]],
  ["endpointslice-controller", ["endpointslice"]],
  ["endpointslice-mirroring-controller", ["endpointslicemirroring"]],
  ["ephemeral-volume-controller", ["ephemeral-volume"]],
  ["garbage-collector-controller", ["garbagecollector"]],
  ["horizontal-pod-autoscaler-controller", ["horizontalpodautoscaling"]],
  ["job-controller", ["job"]],
  ["kube-apiserver-serving-clustertrustbundle-publisher-controller", []],
  ["legacy-serviceaccount-token-cleaner-controller", ["legacy-service-account-token-cleaner"]],
  ["namespace-controller", ["namespace"]],
  ["node-ipam-controller", ["nodeipam"]],
  ["node-lifecycle-controller", ["nodelifecycle"]],
  ["persistentvolume-attach-detach-controller", ["attachdetach"]],
  ["persistentvolume-binder-controller", ["persistentvolume-binder"]],
  ["persistentvolume-expander-controller", ["persistentvolume-expander"]],
  ["persistentvolume-protection-controller", ["pv-protection"]],
  ["persistentvolumeclaim-protection-controller", ["pvc-protection"]],
  ["pod-garbage-collector-controller", ["podgc"]],
  ["podcertificaterequest-cleaner-controller", []],
  ["podgroup-protection-controller", []],
  ["replicaset-controller", ["replicaset"]],
  ["replicationcontroller-controller", ["replicationcontroller"]],
  ["resourceclaim-controller", ["resource-claim-controller"]],
  ["resourcepoolstatusrequest-controller", []],
  ["resourcequota-controller", ["resourcequota"]],
  ["root-ca-certificate-publisher-controller", ["root-ca-cert-publisher"]],
  ["selinux-warning-controller", []],
  ["service-cidr-controller", []],
  ["serviceaccount-controller", ["serviceaccount"]],
  ["serviceaccount-token-controller", ["serviceaccount-token"]],
  ["statefulset-controller", ["statefulset"]],
  ["storage-version-migrator-controller", ["svm"]],
  ["storageversion-garbage-collector-controller", ["storage-version-gc"]],
  ["taint-eviction-controller", []],
  ["token-cleaner-controller", ["tokencleaner"]],
  ["ttl-after-finished-controller", ["ttl-after-finished"]],
  ["ttl-controller", ["ttl"]],
  ["validatingadmissionpolicy-status-controller", []],
  ["volumeattributesclass-protection-controller", []],
])

const byAlias = new Map(
  [...controllerNames].flatMap(([name, aliases]) => aliases.map((alias) => [alias, name])),
)

/** The list with today's names. Throws for a name that there is none of. */
export function readControllerList(list: readonly string[]): readonly string[] {
  return list.map((item) => {
    if (item === "*") return item
    const sign = item.startsWith("-") ? "-" : ""
    const name = item.slice(sign.length)
    const known = controllerNames.has(name) ? name : byAlias.get(name)
    if (known === undefined)
      throw new Error(`${JSON.stringify(name)} is not in the list of known controllers`)
    return sign + known
  })
}

/** Whether a list, with today's names, asks for a controller: the first that is about it counts, and `*` is all that are on by default. */
export function isControllerEnabled(name: string, list: readonly string[], isOnByDefault = true): boolean {
  for (const item of list) {
    if (item === name) return true
    if (item === `-${name}`) return false
  }
  return isOnByDefault && list.includes("*")
}
