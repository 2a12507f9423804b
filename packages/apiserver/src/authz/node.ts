/**
 * What a kubelet may do: its own objects, and those that the pods on its node refer to.
 * Mirrors: plugin/pkg/auth/authorizer/node
 */
import { clusterRole, persistentVolume, persistentVolumeClaim, pod, volumeAttachment } from "@knarr/api"
import type { Pod, PolicyRule } from "@knarr/api"
import { nodeNameOf } from "../authn/users.ts"
import type { ObjectReader } from "../authn/service-account-tokens.ts"
import type { AuthorizationAttributes, Authorizer, Decision, UserInfo } from "../contract.ts"
import { ruleAllows } from "./rules.ts"

/** Attributes of a request with its selectors, for authorizers that look at them. */
export interface RequestAttributes extends AuthorizationAttributes {
  readonly fieldSelector?: string | undefined
}

const unrelated = (node: string): Decision =>
  no(`no relationship found between node '${node}' and this object`)
const noOpinion: Decision = { allowed: false, reason: "" }
const yes: Decision = { allowed: true, reason: "" }

function no(reason: string): Decision {
  return { allowed: false, reason }
}

export class NodeAuthorizer implements Authorizer {
  readonly #reader: ObjectReader

  constructor(reader: ObjectReader) {
    this.#reader = reader
  }

  authorize(user: UserInfo, asked: RequestAttributes): Decision {
    const name = nodeNameOf(user)
    if (name === undefined) return noOpinion
    if (name === "") return no(`unknown node for user ${JSON.stringify(user.name)}`)
    if (asked.isResourceRequest) {
      switch (asked.apiGroup === "" ? asked.resource : `${asked.resource}.${asked.apiGroup}`) {
        case "secrets":
        case "configmaps":
          return this.#readOne(name, asked, (p) => references(p, asked.resource, asked.name))
        case "persistentvolumeclaims":
          if (asked.subresource === "status" && (asked.verb === "update" || asked.verb === "patch"))
            return this.#pods(name, asked.namespace, (p) => references(p, asked.resource, asked.name))
          return this.#getOne(name, asked, (p) => references(p, asked.resource, asked.name))
        case "persistentvolumes":
          return this.#volume(name, asked)
        case "resourceclaims.resource.k8s.io":
          return this.#getOne(name, asked, (p) => references(p, "resourceclaims", asked.name))
        case "volumeattachments.storage.k8s.io":
          return this.#attachment(name, asked)
        case "serviceaccounts":
          return this.#serviceAccount(name, asked)
        case "leases.coordination.k8s.io":
          return ownLease(name, asked)
        case "csinodes.storage.k8s.io":
          return ownCsiNode(name, asked)
        case "resourceslices.resource.k8s.io":
          return ownSlices(name, asked)
        case "nodes":
          return this.#node(name, asked)
        case "pods":
          return this.#pod(name, asked)
      }
    }
    return this.#byRules(asked)
  }

  #byRules(asked: AuthorizationAttributes): Decision {
    const rules: readonly PolicyRule[] = this.#reader.get(clusterRole, { name: "system:node" })?.rules ?? []
    return rules.some((rule) => ruleAllows(rule, asked)) ? yes : noOpinion
  }

  /** get, list and watch of one named object. */
  #readOne(name: string, asked: AuthorizationAttributes, refers: (pod: Readonly<Pod>) => boolean): Decision {
    if (asked.verb !== "get" && asked.verb !== "list" && asked.verb !== "watch")
      return no("can only read resources of this type")
    return this.#existing(name, asked, refers)
  }

  #getOne(name: string, asked: AuthorizationAttributes, refers: (pod: Readonly<Pod>) => boolean): Decision {
    if (asked.verb !== "get") return no("can only get individual resources of this type")
    return this.#existing(name, asked, refers)
  }

  #existing(name: string, asked: AuthorizationAttributes, refers: (pod: Readonly<Pod>) => boolean): Decision {
    if (asked.subresource !== "") return no("cannot get subresource")
    if (asked.name === "") return no("No Object name found")
    return this.#pods(name, asked.namespace, refers)
  }

  #pods(name: string, namespace: string, refers: (pod: Readonly<Pod>) => boolean): Decision {
    const found = this.#reader.list(pod, namespace).some((p) => p.spec.nodeName === name && refers(p))
    return found ? yes : unrelated(name)
  }

  #volume(name: string, asked: AuthorizationAttributes): Decision {
    if (asked.verb !== "get") return no("can only get individual resources of this type")
    if (asked.subresource !== "") return no("cannot get subresource")
    if (asked.name === "") return no("No Object name found")
    const claim = this.#reader.get(persistentVolume, { name: asked.name })?.spec.claimRef
    if (!claim?.namespace || !claim.name) return unrelated(name)
    if (!this.#reader.get(persistentVolumeClaim, { namespace: claim.namespace, name: claim.name }))
      return unrelated(name)
    return this.#pods(name, claim.namespace, (p) => references(p, "persistentvolumeclaims", claim.name!))
  }

  #attachment(name: string, asked: AuthorizationAttributes): Decision {
    if (asked.verb !== "get") return no("can only get individual resources of this type")
    if (asked.name === "") return no("No Object name found")
    const found = this.#reader.get(volumeAttachment, { name: asked.name })
    return found?.spec.nodeName === name ? yes : unrelated(name)
  }

  #serviceAccount(name: string, asked: AuthorizationAttributes): Decision {
    const { verb, subresource } = asked
    if (subresource === "token" ? verb !== "create" : subresource !== "" || verb !== "get")
      return no("can only get individual service accounts or create tokens for individual service accounts")
    if (asked.name === "") return no("No Object name found")
    return this.#pods(name, asked.namespace, (p) => (p.spec.serviceAccountName || "default") === asked.name)
  }

  #node(name: string, asked: AuthorizationAttributes): Decision {
    if (asked.subresource !== "") {
      if (
        asked.name === name &&
        ["status", "pods", "configz", "metrics", "stats", "proxy"].includes(asked.subresource)
      )
        return this.#byRules(asked)
      return this.#byRules(asked)
    }
    if (asked.verb === "get" || asked.verb === "list" || asked.verb === "watch") {
      if (asked.name === "") return no(`node '${name}' cannot read all nodes, only its own Node object`)
      if (asked.name !== name)
        return no(`node '${name}' cannot read '${asked.name}', only its own Node object`)
    }
    return this.#byRules(asked)
  }

  #pod(name: string, asked: RequestAttributes): Decision {
    if (asked.subresource !== "") return this.#byRules(asked)
    switch (asked.verb) {
      case "get": {
        if (asked.name === "") return no("No Object name found")
        const found = this.#reader.get(pod, { namespace: asked.namespace, name: asked.name })
        return found?.spec.nodeName === name ? yes : unrelated(name)
      }
      case "list":
      case "watch":
        if (selects(asked.fieldSelector, "spec.nodeName", name)) return yes
        if (asked.verb === "watch" && asked.name !== "") {
          const found = this.#reader.get(pod, { namespace: asked.namespace, name: asked.name })
          if (found?.spec.nodeName === name) return yes
        }
        return no("can only list/watch pods with spec.nodeName field selector")
      default:
        return this.#byRules(asked)
    }
  }
}

function ownLease(name: string, asked: AuthorizationAttributes): Decision {
  if (!["get", "create", "update", "patch", "delete"].includes(asked.verb))
    return no("can only get, create, update, patch, or delete a node lease")
  if (asked.namespace !== "kube-node-lease")
    return no('can only access leases in the "kube-node-lease" system namespace')
  if (asked.verb !== "create" && asked.name !== name)
    return no("can only access node lease with the same name as the requesting node")
  return yes
}

function ownCsiNode(name: string, asked: AuthorizationAttributes): Decision {
  if (!["get", "create", "update", "patch", "delete"].includes(asked.verb))
    return no("can only get, create, update, patch, or delete a CSINode")
  if (asked.subresource !== "") return no("cannot authorize CSINode subresources")
  if (asked.verb !== "create" && asked.name !== name)
    return no("can only access CSINode with the same name as the requesting node")
  return yes
}

function ownSlices(name: string, asked: RequestAttributes): Decision {
  if (asked.subresource !== "") return no("cannot authorize ResourceSlice subresources")
  switch (asked.verb) {
    case "create":
      return yes
    case "get":
    case "update":
    case "patch":
    case "delete":
      return yes
    case "list":
    case "watch":
    case "deletecollection":
      return selects(asked.fieldSelector, "spec.nodeName", name)
        ? yes
        : no("can only list/watch/deletecollection resourceslices with nodeName field selector")
    default:
      return no(
        "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection",
      )
  }
}

function selects(selector: string | undefined, field: string, value: string): boolean {
  if (!selector) return false
  return selector.split(",").some((term) => {
    const match = /^\s*([^!=]+?)\s*==?\s*(.*?)\s*$/.exec(term)
    return match !== null && match[1] === field && match[2] === value
  })
}

function references(p: Readonly<Pod>, resource: string, name: string): boolean {
  switch (resource) {
    case "secrets":
      return podSecrets(p).has(name)
    case "configmaps":
      return podConfigMaps(p).has(name)
    case "persistentvolumeclaims":
      return (p.spec.volumes ?? []).some(
        (v) =>
          v.persistentVolumeClaim?.claimName === name ||
          (v.ephemeral !== undefined && `${p.metadata.name}-${v.name}` === name),
      )
    case "resourceclaims":
      return (
        (p.spec.resourceClaims ?? []).some((c) => c.resourceClaimName === name) ||
        (p.status?.resourceClaimStatuses ?? []).some((c) => c.resourceClaimName === name)
      )
    default:
      return false
  }
}

function podSecrets(p: Readonly<Pod>): Set<string> {
  const names = new Set<string>()
  const add = (name: string | undefined): void => {
    if (name) names.add(name)
  }
  for (const ref of p.spec.imagePullSecrets ?? []) add(ref.name)
  for (const c of [
    ...p.spec.containers,
    ...(p.spec.initContainers ?? []),
    ...(p.spec.ephemeralContainers ?? []),
  ]) {
    for (const e of c.env ?? []) add(e.valueFrom?.secretKeyRef?.name)
    for (const e of c.envFrom ?? []) add(e.secretRef?.name)
  }
  for (const v of p.spec.volumes ?? []) {
    add(v.secret?.secretName)
    for (const source of v.projected?.sources ?? []) add(source.secret?.name)
    add(v.azureFile?.secretName)
    add(v.cephfs?.secretRef?.name)
    add(v.cinder?.secretRef?.name)
    add(v.flexVolume?.secretRef?.name)
    add(v.iscsi?.secretRef?.name)
    add(v.rbd?.secretRef?.name)
    add(v.scaleIO?.secretRef?.name)
    add(v.storageos?.secretRef?.name)
    add(v.csi?.nodePublishSecretRef?.name)
  }
  return names
}

function podConfigMaps(p: Readonly<Pod>): Set<string> {
  const names = new Set<string>()
  const add = (name: string | undefined): void => {
    if (name) names.add(name)
  }
  for (const c of [
    ...p.spec.containers,
    ...(p.spec.initContainers ?? []),
    ...(p.spec.ephemeralContainers ?? []),
  ]) {
    for (const e of c.env ?? []) add(e.valueFrom?.configMapKeyRef?.name)
    for (const e of c.envFrom ?? []) add(e.configMapRef?.name)
  }
  for (const v of p.spec.volumes ?? []) {
    add(v.configMap?.name)
    for (const source of v.projected?.sources ?? []) add(source.configMap?.name)
  }
  return names
}
