/**
 * A kubelet changes its own Node, Lease and CSINode and the pods on its node, and of those only what is its
 * business. Mirrors: plugin/pkg/admission/noderestriction
 */
import {
  csiDriver,
  node,
  parseSigningRequest,
  persistentVolume,
  persistentVolumeClaim,
  pod,
  serviceAccount,
} from "@knarr/api"
import type {
  CertificateSigningRequest,
  Node,
  PersistentVolumeClaim,
  Pod,
  PodCertificateRequest,
  resourceV1,
  TokenRequest,
  Volume,
} from "@knarr/api"
import { aggregate, internalError, notFound, semanticEqual } from "@knarr/apimachinery"
import { messageOf, whenReady } from "@knarr/base"
import { resourceAttributes } from "../authz/attributes.ts"
import { nodeNameOf } from "../authn/users.ts"
import { apiObjectReference, ephemeralClaimName, isMirrorPod } from "@knarr/pod-rules"
import type { AdmissionAttributes, AdmissionDeps, AdmissionPlugin } from "../contract.ts"
import { refusal } from "./refuse.ts"

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

const q = JSON.stringify

export const nodeRestriction: AdmissionPlugin = {
  name: "NodeRestriction",
  // Off by default upstream, on in every distribution; it only ever concerns kubelets.
  enabledByDefault: true,
  create: (deps) => ({
    handles: (a) => a.operation !== "CONNECT" && a.user.groups.includes("system:nodes"),
    admit(a) {
      const name = nodeNameOf(a.user)
      if (name === undefined) return
      if (name === "") throw refusal(a, `could not determine node from user ${q(a.user.name)}`)
      switch (a.kind.group === "" ? a.kind.plural : `${a.kind.plural}.${a.kind.group}`) {
        case "pods":
          return admitPod(deps, name, a)
        case "nodes":
          return admitNode(name, a)
        case "persistentvolumeclaims":
          return admitClaim(name, a)
        case "serviceaccounts":
          if (a.operation === "CREATE" && a.subresource === "token") return admitToken(deps, name, a)
          return undefined
        case "podcertificaterequests.certificates.k8s.io":
          return admitPodCertificate(deps, name, a)
        case "leases.coordination.k8s.io":
          return admitLease(name, a)
        case "csinodes.storage.k8s.io":
          return admitCsiNode(name, a)
        case "resourceslices.resource.k8s.io":
          return admitSlice(name, a)
        case "certificatesigningrequests.certificates.k8s.io":
          return admitSigningRequest(name, a)
      }
      return undefined
    },
  }),
}

/** The pod, or the NotFound that answers the request (it names the singular). */
function existingPod(deps: AdmissionDeps, a: AdmissionAttributes, podName: string): Readonly<Pod> {
  const found = deps.get(pod, { namespace: a.namespace, name: podName })
  if (!found) throw notFound({ group: "", resource: "pod" }, podName)
  return found
}

function admitPod(deps: AdmissionDeps, name: string, a: AdmissionAttributes): void {
  switch (a.subresource) {
    case "":
      if (a.operation === "CREATE") return admitMirrorPod(deps, name, a)
      if (a.operation !== "DELETE")
        throw refusal(
          a,
          `unexpected operation ${q(a.operation)}, node ${q(name)} can only create and delete mirror pods`,
        )
      if (existingPod(deps, a, a.name).spec.nodeName !== name)
        throw refusal(a, `node ${q(name)} can only delete pods with spec.nodeName set to itself`)
      return
    case "status":
      return admitPodStatus(name, a)
    case "eviction":
      if (a.operation !== "CREATE") throw refusal(a, `unexpected operation ${a.operation}`)
      if (existingPod(deps, a, a.name).spec.nodeName !== name)
        throw refusal(a, `node ${name} can only evict pods with spec.nodeName set to itself`)
      return
    default:
      throw refusal(
        a,
        `unexpected pod subresource ${q(a.subresource)}, only 'status' and 'eviction' are allowed`,
      )
  }
}

function admitPodStatus(name: string, a: AdmissionAttributes): void {
  if (a.operation !== "UPDATE") throw refusal(a, `unexpected operation ${q(a.operation)}`)
  const old = a.oldObject as Readonly<Pod>
  const next = a.object as Pod
  if (old.spec.nodeName !== name)
    throw refusal(a, `node ${q(name)} can only update pod status for pods with spec.nodeName set to itself`)
  if (!semanticEqual(old.metadata.labels, next.metadata.labels))
    throw refusal(a, `node ${q(name)} cannot update labels through pod status`)
  // What says which claims belong to a pod decides what its node may read.
  for (const [field, what] of [
    ["resourceClaimStatuses", "resource claim statues"],
    ["extendedResourceClaimStatus", "extended resource claim status"],
    ["nodeAllocatableResourceClaimStatuses", "node allocatable resource claim statuses"],
  ] as const)
    if (!semanticEqual(old.status?.[field], next.status?.[field]))
      throw refusal(a, `node ${q(name)} cannot update ${what}`)
}

function admitMirrorPod(deps: AdmissionDeps, name: string, a: AdmissionAttributes): void {
  const obj = a.object as Pod
  if (!isMirrorPod(obj))
    throw refusal(
      a,
      `pod does not have "kubernetes.io/config.mirror" annotation, node ${q(name)} can only create mirror pods`,
    )
  if (obj.spec.nodeName !== name)
    throw refusal(a, `node ${q(name)} can only create pods with spec.nodeName set to itself`)
  const [owner, ...more] = obj.metadata.ownerReferences ?? []
  if (more.length > 0)
    throw refusal(a, `node ${q(name)} can only create pods with a single owner reference set to itself`)
  if (!owner || owner.apiVersion !== "v1" || owner.kind !== "Node" || owner.name !== name)
    throw refusal(a, `node ${q(name)} can only create pods with an owner reference set to itself`)
  if (!owner.controller)
    throw refusal(a, `node ${q(name)} can only create pods with a controller owner reference set to itself`)
  if (owner.blockOwnerDeletion)
    throw refusal(a, `node ${q(name)} must not set blockOwnerDeletion on an owner reference`)
  const own = deps.get(node, { name })
  if (!own) throw notFound({ group: "", resource: "node" }, name)
  if (own.metadata.uid !== owner.uid)
    throw refusal(a, `node ${name} UID mismatch: expected ${owner.uid} got ${own.metadata.uid}`)
  const reference = referenceOf(a, obj)
  if (reference !== undefined)
    throw refusal(a, `node ${q(name)} can not create pods that reference ${reference}`)
}

function referenceOf(a: AdmissionAttributes, obj: Pod): string | undefined {
  try {
    return apiObjectReference(obj)
  } catch (thrown) {
    throw refusal(a, `error checking mirror pod for API references: ${messageOf(thrown)}`)
  }
}

function admitClaim(name: string, a: AdmissionAttributes): void {
  if (a.subresource !== "status") throw refusal(a, "may only update PVC status")
  if (a.operation !== "UPDATE") throw refusal(a, `unexpected operation ${q(a.operation)}`)
  const rest = (claim: Readonly<PersistentVolumeClaim>): unknown => ({
    ...claim,
    metadata: { ...claim.metadata, resourceVersion: "", managedFields: undefined },
    status: {
      ...claim.status,
      capacity: undefined,
      conditions: undefined,
      allocatedResourceStatuses: undefined,
      allocatedResources: undefined,
    },
  })
  const before = rest(a.oldObject as PersistentVolumeClaim)
  if (!semanticEqual(rest(a.object as PersistentVolumeClaim), before))
    throw refusal(
      a,
      `node ${q(name)} is not allowed to update fields other than status.quantity and status.conditions`,
    )
}

function admitNode(name: string, a: AdmissionAttributes): void {
  if (a.name !== name) throw refusal(a, `node ${q(name)} is not allowed to modify node ${q(a.name)}`)
  if (a.operation === "CREATE") {
    const obj = a.object as Node
    if (obj.spec.configSource)
      throw refusal(a, `node ${q(name)} is not allowed to create pods with a non-nil configSource`)
    const restricted = restrictedLabels(changedLabels(obj.metadata.labels, {}))
    if (restricted.length > 0)
      throw refusal(a, `node ${q(name)} is not allowed to set the following labels: ${restricted.join(", ")}`)
  }
  if (a.operation !== "UPDATE") return
  const next = a.object as Node
  const old = a.oldObject as Readonly<Node>
  if (next.spec.configSource && !semanticEqual(next.spec.configSource, old.spec.configSource))
    throw refusal(a, `node ${q(name)} is not allowed to update configSource to a new non-nil configSource`)
  if (!semanticEqual(next.spec.taints, old.spec.taints))
    throw refusal(a, `node ${q(name)} is not allowed to modify taints`)
  if (!semanticEqual(next.metadata.ownerReferences, old.metadata.ownerReferences))
    throw refusal(a, `node ${q(name)} is not allowed to modify ownerReferences`)
  const restricted = restrictedLabels(changedLabels(next.metadata.labels, old.metadata.labels))
  if (restricted.length > 0) throw refusal(a, `is not allowed to modify labels: ${restricted.join(", ")}`)
}

type Labels = Readonly<Record<string, string>>

function changedLabels(after: Labels = {}, before: Labels = {}): string[] {
  const keys = new Set([...Object.keys(after), ...Object.keys(before)])
  return [...keys].filter(
    (key) => Object.hasOwn(after, key) !== Object.hasOwn(before, key) || after[key] !== before[key],
  )
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

function admitToken(deps: AdmissionDeps, name: string, a: AdmissionAttributes): void | Promise<void> {
  const { spec } = a.object as unknown as TokenRequest
  const ref = spec.boundObjectRef
  if (!ref || ref.apiVersion !== "v1" || ref.kind !== "Pod" || !ref.name)
    throw refusal(a, "node requested token not bound to a pod")
  if (!ref.uid) throw refusal(a, "node requested token with a pod binding without a uid")
  const found = existingPod(deps, a, ref.name)
  if (found.metadata.uid !== ref.uid)
    throw refusal(
      a,
      `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    )
  if (found.spec.nodeName !== name)
    throw refusal(a, "node requested token bound to a pod scheduled on a different node")
  if ((spec.audiences?.length ?? 0) > 1) throw refusal(a, "node may only request 0 or 1 audiences")
  const audience = spec.audiences?.[0] ?? ""
  const { found: used, problems } = usesAudience(deps, found, audience)
  if (used) return
  if (problems.length > 0)
    throw refusal(a, `error validating audience ${q(audience)}: ${aggregate(problems)}`)
  const refused = `${a.user.name} is not authorized to request tokens for audience ${q(audience)}`
  return demand(deps, a, "request-serviceaccounts-token-audience", audience, a.name, refused)
}

/** Refuses who may not, with these words. */
function demand(
  deps: AdmissionDeps,
  a: AdmissionAttributes,
  verb: string,
  resource: string,
  name: string,
  refused: string,
): void | Promise<void> {
  const { namespace, kind } = a
  const asked = resourceAttributes({ verb, apiGroup: kind.group, resource, namespace, name })
  return whenReady(deps.authorize(a.user, asked, a), ({ verdict }) => {
    if (verdict !== "allow") throw refusal(a, refused)
  })
}

/** Whether the pod mounts a token for the audience, or a volume whose driver asks for one. */
function usesAudience(
  deps: AdmissionDeps,
  found: Readonly<Pod>,
  audience: string,
): { found: boolean; problems: string[] } {
  const problems: string[] = []
  for (const volume of found.spec.volumes ?? []) {
    const sources = volume.projected?.sources ?? []
    if (sources.some((s) => s.serviceAccountToken && (s.serviceAccountToken.audience ?? "") === audience))
      return { found: true, problems }
    const driver = driverOf(deps, found, volume)
    if (driver === undefined) continue
    if ("problem" in driver) {
      problems.push(driver.problem)
      continue
    }
    const declared = deps.get(csiDriver, { name: driver.name })
    if (!declared) problems.push(`csidriver.storage.k8s.io ${q(driver.name)} not found`)
    else if (declared.spec.tokenRequests?.some((request) => request.audience === audience))
      return { found: true, problems }
  }
  return { found: false, problems }
}

type DriverOfVolume = { readonly name: string } | { readonly problem: string } | undefined

function driverOf(deps: AdmissionDeps, found: Readonly<Pod>, volume: Readonly<Volume>): DriverOfVolume {
  const { namespace } = found.metadata
  if (volume.csi) return { name: volume.csi.driver }
  const claimName = volume.ephemeral?.volumeClaimTemplate
    ? ephemeralClaimName(found, volume)
    : volume.persistentVolumeClaim?.claimName
  if (claimName === undefined) return migratedDriver(volume)
  const claim = deps.get(persistentVolumeClaim, { namespace, name: claimName })
  if (!claim) return { problem: `persistentvolumeclaim ${q(claimName)} not found` }
  const volumeName = claim.spec.volumeName ?? ""
  const bound = deps.get(persistentVolume, { name: volumeName })
  if (!bound) return { problem: `persistentvolume ${q(volumeName)} not found` }
  return bound.spec.csi ? { name: bound.spec.csi.driver } : migratedDriver(bound.spec)
}

/** Drivers that took over volume types of old. Mirrors: csi-translation-lib plugins */
const migrated: readonly (readonly [source: string, driver: string])[] = [
  ["awsElasticBlockStore", "ebs.csi.aws.com"],
  ["azureDisk", "disk.csi.azure.com"],
  ["azureFile", "file.csi.azure.com"],
  ["cinder", "cinder.csi.openstack.org"],
  ["gcePersistentDisk", "pd.csi.storage.gke.io"],
  ["portworxVolume", "pxd.portworx.com"],
  ["vsphereVolume", "csi.vsphere.vmware.com"],
]

function migratedDriver(volume: object): DriverOfVolume {
  const found = migrated.find(([source]) => (volume as Record<string, unknown>)[source] !== undefined)
  return found && { name: found[1] }
}

function admitPodCertificate(
  deps: AdmissionDeps,
  name: string,
  a: AdmissionAttributes,
): void | Promise<void> {
  if (a.operation !== "CREATE") throw refusal(a, `unexpected operation ${a.operation}`)
  if (a.subresource !== "") throw refusal(a, `unexpected subresource ${a.subresource}`)
  const { spec } = a.object as PodCertificateRequest
  const at = q(`${a.namespace}/${spec.podName}`)
  const retry = (why: string): Error => internalError(why)
  if (spec.nodeName !== name)
    throw refusal(
      a,
      `PodCertificateRequest.Spec.NodeName=${q(spec.nodeName)}, which is not the requesting node ${q(name)}`,
    )
  const own = deps.get(node, { name })
  if (!own)
    throw retry(
      `while retrieving node ${q(name)} named in the PodCertificateRequest: node ${q(name)} not found`,
    )
  if (own.metadata.uid !== spec.nodeUID)
    throw retry(
      `PodCertificateRequest for pod ${at} names node UID ${q(spec.nodeUID)}, inconsistent with the running node (${q(own.metadata.uid)})`,
    )
  const found = deps.get(pod, { namespace: a.namespace, name: spec.podName })
  if (!found)
    throw retry(
      `while retrieving pod ${at} named in the PodCertificateRequest: pod ${q(spec.podName)} not found`,
    )
  if (found.metadata.uid !== spec.podUID)
    throw retry(
      `PodCertificateRequest for pod ${at} contains pod UID (${q(spec.podUID)}) which differs from running pod ${q(found.metadata.uid)}`,
    )
  if (found.spec.nodeName !== name)
    throw refusal(a, `pod ${at} is not running on node ${q(name)} named in the PodCertificateRequest`)
  if (isMirrorPod(found)) throw refusal(a, `pod ${at} is a mirror pod`)
  const accountName = spec.serviceAccountName
  if ((found.spec.serviceAccountName ?? "") !== accountName)
    throw refusal(
      a,
      `PodCertificateRequest for pod ${at} contains serviceAccountName (${q(accountName)}) that differs from running pod (${q(found.spec.serviceAccountName ?? "")})`,
    )
  const account = deps.get(serviceAccount, { namespace: a.namespace, name: accountName })
  if (!account)
    throw retry(
      `while retrieving service account ${q(`${a.namespace}/${accountName}`)} named in the PodCertificateRequest: serviceaccount ${q(accountName)} not found`,
    )
  if (account.metadata.uid !== spec.serviceAccountUID)
    throw retry(
      `PodCertificateRequest for pod ${at} names service account UID ${q(spec.serviceAccountUID)}, which differs from the running service account (${q(account.metadata.uid)})`,
    )
  const mounts = (found.spec.volumes ?? []).some((volume) =>
    volume.projected?.sources?.some((source) => source.podCertificate?.signerName === spec.signerName),
  )
  if (mounts) return
  const signer = spec.signerName.replaceAll("/", ":")
  const refused = `pod ${at} does not mount a podCertificate projected volume for signer ${q(spec.signerName)}`
  return demand(deps, a, "request-serviceaccounts-podcertificate-signer", signer, accountName, refused)
}

/** On a create the name stands in the object. */
function nameOf(a: AdmissionAttributes): string {
  return a.operation === "CREATE" ? a.object!.metadata.name : a.name
}

function admitLease(name: string, a: AdmissionAttributes): void {
  if (a.namespace !== "kube-node-lease")
    throw refusal(a, 'can only access leases in the "kube-node-lease" system namespace')
  if (nameOf(a) !== name)
    throw refusal(a, "can only access node lease with the same name as the requesting node")
}

function admitCsiNode(name: string, a: AdmissionAttributes): void {
  if (nameOf(a) !== name)
    throw refusal(a, "can only access CSINode with the same name as the requesting node")
  if (a.subresource === "status") throw refusal(a, "CSIVolumeHealth feature gate is disabled")
}

function admitSlice(name: string, a: AdmissionAttributes): void {
  if (a.operation === "UPDATE") return
  const slice = (a.operation === "CREATE" ? a.object : a.oldObject) as
    | Readonly<resourceV1.ResourceSlice>
    | undefined
  if (slice?.spec.nodeName !== name)
    throw refusal(
      a,
      `can only ${a.operation === "CREATE" ? "create" : "delete"} ResourceSlice with the same NodeName as the requesting node`,
    )
}

const kubeletSigners = new Set([
  "kubernetes.io/kubelet-serving",
  "kubernetes.io/kube-apiserver-client-kubelet",
])

function admitSigningRequest(name: string, a: AdmissionAttributes): void {
  if (a.operation !== "CREATE") return
  const { signerName, request } = (a.object as CertificateSigningRequest).spec
  if (!kubeletSigners.has(signerName)) return
  if (commonNameOf(a, request) !== `system:node:${name}`)
    throw refusal(a, `can only create a node CSR with CN=system:node:${name}`)
}

function commonNameOf(a: AdmissionAttributes, request: string): string {
  try {
    return parseSigningRequest(request).commonName
  } catch (thrown) {
    throw refusal(a, `unable to parse csr: ${messageOf(thrown)}`)
  }
}
