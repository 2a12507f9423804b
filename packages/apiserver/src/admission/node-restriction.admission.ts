/**
 * A kubelet changes its own Node, Lease and CSINode and the pods on its node, and of those only what is its
 * business. Mirrors: plugin/pkg/admission/noderestriction
 */
import { csiNode, lease, node, persistentVolumeClaim, pod, resourceSlice, serviceAccount } from "@knarr/api"
import type { Node, Pod, TokenRequest } from "@knarr/api"
import type { KubeObject } from "@knarr/apimachinery"
import { nodeNameOf } from "../authn/users.ts"
import type { AdmissionAttributes, AdmissionDeps, AdmissionPlugin } from "../contract.ts"
import { refusal } from "./refuse.ts"

const mirrorAnnotation = "kubernetes.io/config.mirror"
const allowedLabels = new Set([
  "kubernetes.io/hostname",
  "topology.kubernetes.io/zone",
  "topology.kubernetes.io/region",
  "failure-domain.beta.kubernetes.io/zone",
  "failure-domain.beta.kubernetes.io/region",
  "beta.kubernetes.io/instance-type",
  "node.kubernetes.io/instance-type",
  "kubernetes.io/os",
  "kubernetes.io/arch",
  "beta.kubernetes.io/os",
  "beta.kubernetes.io/arch",
])

export const nodeRestriction: AdmissionPlugin = {
  name: "NodeRestriction",
  // Off by default upstream, on in every distribution; it only ever concerns kubelets.
  enabledByDefault: true,
  create: (deps) => ({
    handles: (a) => a.operation !== "CONNECT" && a.user.groups.includes("system:nodes"),
    admit(a) {
      const name = nodeNameOf(a.user)
      if (name === undefined) return
      if (name === "") throw refusal(a, `could not determine node from user ${JSON.stringify(a.user.name)}`)
      switch (a.kind) {
        case pod:
          return admitPod(deps, name, a)
        case node:
          return admitNode(name, a)
        case persistentVolumeClaim:
          if (a.subresource !== "status") throw refusal(a, "may only update PVC status")
          return undefined
        case serviceAccount:
          return a.subresource === "token" ? admitToken(deps, name, a) : undefined
        case lease:
          return admitOwn(
            name,
            a,
            "lease",
            a.namespace === "kube-node-lease"
              ? undefined
              : 'can only access leases in the "kube-node-lease" system namespace',
          )
        case csiNode:
          return admitOwn(name, a, "csinode")
        case resourceSlice:
          return admitSlice(deps, name, a)
      }
      return undefined
    },
  }),
}

const q = JSON.stringify

function admitPod(deps: AdmissionDeps, name: string, a: AdmissionAttributes): void {
  const present = (): Readonly<Pod> | undefined => deps.get(pod, { namespace: a.namespace, name: a.name })
  switch (a.subresource) {
    case "":
      if (a.operation === "CREATE") return admitMirrorPod(deps, name, a)
      if (a.operation === "DELETE") {
        const found = present()
        if (found && found.spec.nodeName !== name)
          throw refusal(a, `node ${q(name)} can only delete pods with spec.nodeName set to itself`)
        return
      }
      throw refusal(
        a,
        `unexpected operation ${q(a.operation)}, node ${q(name)} can only create and delete mirror pods`,
      )
    case "status": {
      const old = a.oldObject as Pod | undefined
      if (old && old.spec.nodeName !== name)
        throw refusal(
          a,
          `node ${q(name)} can only update pod status for pods with spec.nodeName set to itself`,
        )
      if (old && q(sorted(old.metadata.labels)) !== q(sorted(a.object!.metadata.labels)))
        throw refusal(a, `node ${q(name)} cannot update labels through pod status`)
      return
    }
    case "eviction": {
      const found = present()
      if (found && found.spec.nodeName !== name)
        throw refusal(a, `node ${name} can only evict pods with spec.nodeName set to itself`)
      return
    }
    default:
      throw refusal(
        a,
        `unexpected pod subresource ${q(a.subresource)}, only 'status' and 'eviction' are allowed`,
      )
  }
}

function sorted(labels: Readonly<Record<string, string>> | undefined): [string, string][] {
  return Object.entries(labels ?? {}).sort()
}

function admitMirrorPod(deps: AdmissionDeps, name: string, a: AdmissionAttributes): void {
  const obj = a.object as Pod
  if (obj.metadata.annotations?.[mirrorAnnotation] === undefined)
    throw refusal(
      a,
      `pod does not have ${q(mirrorAnnotation)} annotation, node ${q(name)} can only create mirror pods`,
    )
  if (obj.spec.nodeName !== name)
    throw refusal(a, `node ${q(name)} can only create pods with spec.nodeName set to itself`)
  const owners = obj.metadata.ownerReferences ?? []
  if (owners.length !== 1)
    throw refusal(a, `node ${q(name)} can only create pods with an owner reference set to itself`)
  const owner = owners[0]!
  if (owner.apiVersion !== "v1" || owner.kind !== "Node" || owner.name !== name)
    throw refusal(a, `node ${q(name)} can only create pods with an owner reference set to itself`)
  if (!owner.controller)
    throw refusal(a, `node ${q(name)} can only create pods with a controller owner reference set to itself`)
  if (owner.blockOwnerDeletion)
    throw refusal(a, `node ${q(name)} must not set blockOwnerDeletion on an owner reference`)
  if (deps.get(node, { name })?.metadata.uid !== owner.uid)
    throw refusal(a, `node ${q(name)} can only create pods with an owner reference set to itself`)
  if (obj.spec.serviceAccountName)
    throw refusal(a, `node ${q(name)} can not create pods that reference a service account`)
  const volumes = obj.spec.volumes ?? []
  if (volumes.some((v) => v.secret))
    throw refusal(a, `node ${q(name)} can not create pods that reference secrets`)
  if (volumes.some((v) => v.configMap))
    throw refusal(a, `node ${q(name)} can not create pods that reference configmaps`)
  if (volumes.some((v) => v.persistentVolumeClaim))
    throw refusal(a, `node ${q(name)} can not create pods that reference persistentvolumeclaims`)
}

function admitNode(name: string, a: AdmissionAttributes): void {
  const requested = a.name || a.object?.metadata.name || ""
  if (a.operation === "CREATE") {
    const obj = a.object as Node
    if (obj.spec.configSource)
      throw refusal(a, `node ${q(name)} is not allowed to create pods with a non-nil configSource`)
    const forbiddenNew = restrictedLabels(Object.keys(obj.metadata.labels ?? {}))
    if (obj.metadata.name !== name)
      throw refusal(a, `node ${q(name)} is not allowed to modify node ${q(obj.metadata.name)}`)
    if (forbiddenNew.length > 0)
      throw refusal(
        a,
        `node ${q(name)} is not allowed to set the following labels: ${forbiddenNew.join(", ")}`,
      )
    if ((obj.metadata.ownerReferences?.length ?? 0) > 0)
      throw refusal(a, `node ${q(name)} is not allowed to set ownerReferences`)
    return
  }
  if (requested !== name) throw refusal(a, `node ${q(name)} is not allowed to modify node ${q(requested)}`)
  if (a.operation !== "UPDATE") return
  const next = a.object as Node
  const old = a.oldObject as Node
  if (q(next.spec.taints ?? []) !== q(old.spec.taints ?? []))
    throw refusal(a, `node ${q(name)} is not allowed to modify taints`)
  const before = old.metadata.labels ?? {}
  const after = next.metadata.labels ?? {}
  const changed = new Set<string>()
  for (const key in before) if (before[key] !== after[key]) changed.add(key)
  for (const key in after) if (before[key] !== after[key]) changed.add(key)
  const restricted = restrictedLabels([...changed])
  if (restricted.length > 0) throw refusal(a, `is not allowed to modify labels: ${restricted.join(", ")}`)
  if (q(next.metadata.ownerReferences ?? []) !== q(old.metadata.ownerReferences ?? []))
    throw refusal(a, `node ${q(name)} is not allowed to modify ownerReferences`)
}

/** Labels under kubernetes.io and k8s.io that a kubelet may not set, sorted. */
function restrictedLabels(keys: readonly string[]): string[] {
  const under = (domain: string, parent: string): boolean =>
    domain === parent || domain.endsWith(`.${parent}`)
  return keys
    .filter((key) => {
      const slash = key.indexOf("/")
      const domain = slash < 0 ? "" : key.slice(0, slash)
      if (under(domain, "node-restriction.kubernetes.io")) return true
      if (!under(domain, "kubernetes.io") && !under(domain, "k8s.io")) return false
      return (
        !allowedLabels.has(key) &&
        !under(domain, "kubelet.kubernetes.io") &&
        !under(domain, "node.kubernetes.io")
      )
    })
    .sort()
}

function admitToken(deps: AdmissionDeps, name: string, a: AdmissionAttributes): void {
  const request = a.object as unknown as TokenRequest
  const ref = request.spec.boundObjectRef
  if (!ref || ref.apiVersion !== "v1" || ref.kind !== "Pod" || !ref.name)
    throw refusal(a, "node requested token not bound to a pod")
  if (!ref.uid) throw refusal(a, "node requested token with a pod binding without a uid")
  const found = deps.get(pod, { namespace: a.namespace, name: ref.name })
  if (!found) throw refusal(a, `pods ${q(ref.name)} not found`)
  if (found.metadata.uid !== ref.uid)
    throw refusal(
      a,
      `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    )
  if (found.spec.nodeName !== name)
    throw refusal(a, "node requested token bound to a pod scheduled on a different node")
}

function admitOwn(name: string, a: AdmissionAttributes, what: string, problem?: string): void {
  if (problem !== undefined) throw refusal(a, problem)
  const requested = a.operation === "CREATE" ? (a.object as KubeObject).metadata.name : a.name
  if (requested === name) return
  throw refusal(
    a,
    what === "lease"
      ? "can only access node lease with the same name as the requesting node"
      : "can only access CSINode with the same name as the requesting node",
  )
}

function admitSlice(deps: AdmissionDeps, name: string, a: AdmissionAttributes): void {
  const slice =
    a.operation === "DELETE" ? deps.get(resourceSlice, { name: a.name }) : (a.object as KubeObject)
  if (slice && (slice as { spec?: { nodeName?: string } }).spec?.nodeName !== name)
    throw refusal(
      a,
      a.operation === "DELETE"
        ? "can only delete ResourceSlice with the same NodeName as the requesting node"
        : "can only create ResourceSlice with the same NodeName as the requesting node",
    )
}
