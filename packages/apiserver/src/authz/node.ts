/**
 * What a kubelet may do: its own objects, and those that the pods on its node refer to. What it has no opinion on
 * is left to the authorizers behind it. Mirrors: plugin/pkg/auth/authorizer/node/node_authorizer.go
 */
import type { PolicyRule } from "@knarr/api"
import { nodeNameOf } from "../authn/users.ts"
import type { AuthorizationAttributes, Authorizer, Decision, UserInfo, UserRules } from "../contract.ts"
import type { NodeGraph, RelatedResource } from "./node-graph.ts"
import { ruleAllows } from "./rules.ts"

const yes: Decision = Object.freeze({ verdict: "allow", reason: "" })
const noOpinion: Decision = Object.freeze({ verdict: "noOpinion", reason: "" })

function no(reason: string): Decision {
  return { verdict: "noOpinion", reason }
}

export class NodeAuthorizer implements Authorizer {
  readonly #graph: Pick<NodeGraph, "isRelated">
  readonly #rules: readonly PolicyRule[]

  /** `rules`: what every node may, for resources that are not subdivided. */
  constructor(graph: Pick<NodeGraph, "isRelated">, rules: readonly PolicyRule[]) {
    this.#graph = graph
    this.#rules = rules
  }

  authorize(user: UserInfo, asked: AuthorizationAttributes): Decision {
    const node = nodeNameOf(user)
    if (node === undefined) return noOpinion
    if (node === "") return no(`unknown node for user ${JSON.stringify(user.name)}`)
    if (asked.isResourceRequest) {
      switch (asked.apiGroup === "" ? asked.resource : `${asked.resource}.${asked.apiGroup}`) {
        case "secrets":
          return this.#read(node, asked, "secrets")
        case "configmaps":
          return this.#read(node, asked, "configmaps")
        case "persistentvolumeclaims":
          return asked.subresource === "status"
            ? this.#updateStatus(node, asked, "persistentvolumeclaims")
            : this.#get(node, asked, "persistentvolumeclaims")
        case "persistentvolumes":
          return this.#get(node, asked, "persistentvolumes")
        case "resourceclaims.resource.k8s.io":
          return this.#get(node, asked, "resourceclaims")
        case "volumeattachments.storage.k8s.io":
          return this.#get(node, asked, "volumeattachments")
        case "serviceaccounts":
          return this.#serviceAccount(node, asked)
        case "leases.coordination.k8s.io":
          return ownLease(node, asked)
        case "csinodes.storage.k8s.io":
          return ownCsiNode(node, asked)
        case "resourceslices.resource.k8s.io":
          return this.#slice(node, asked)
        case "nodes":
          return ownNode(node, asked)
        case "pods":
          return this.#pod(node, asked)
        case "podcertificaterequests.certificates.k8s.io":
          return this.#podCertificate(node, asked)
      }
    }
    return this.#rules.some((rule) => ruleAllows(rule, asked)) ? yes : noOpinion
  }

  rulesFor(user: UserInfo): UserRules {
    if (nodeNameOf(user) === undefined) return { rules: [], errors: [], incomplete: false }
    const error = "node authorizer does not support user rule resolution"
    return { rules: [], errors: [error], incomplete: true }
  }

  #related(node: string, asked: AuthorizationAttributes, resource: RelatedResource): Decision {
    if (asked.name === "") return no("No Object name found")
    return this.#graph.isRelated(node, resource, asked.namespace, asked.name)
      ? yes
      : no(`no relationship found between node '${node}' and this object`)
  }

  /** get, list and watch of one named object of a namespace. */
  #read(node: string, asked: AuthorizationAttributes, resource: RelatedResource): Decision {
    if (asked.verb !== "get" && asked.verb !== "list" && asked.verb !== "watch")
      return no("can only read resources of this type")
    if (asked.subresource !== "") return no("cannot read subresource")
    if (asked.namespace === "") return no("can only read namespaced object of this type")
    return this.#related(node, asked, resource)
  }

  #get(node: string, asked: AuthorizationAttributes, resource: RelatedResource): Decision {
    if (asked.verb !== "get") return no("can only get individual resources of this type")
    if (asked.subresource !== "") return no("cannot get subresource")
    return this.#related(node, asked, resource)
  }

  #updateStatus(node: string, asked: AuthorizationAttributes, resource: RelatedResource): Decision {
    if (asked.verb !== "update" && asked.verb !== "patch") return no("can only get/update/patch this type")
    return this.#related(node, asked, resource)
  }

  #serviceAccount(node: string, asked: AuthorizationAttributes): Decision {
    if (asked.verb === "get" && asked.subresource === "") return this.#read(node, asked, "serviceaccounts")
    if (asked.verb !== "create" || asked.name === "")
      return no("can only create tokens for individual service accounts")
    if (asked.subresource !== "token") return no("can only create token subresource of serviceaccount")
    return this.#related(node, asked, "serviceaccounts")
  }

  #slice(node: string, asked: AuthorizationAttributes): Decision {
    if (asked.subresource !== "") return no("cannot authorize ResourceSlice subresources")
    switch (asked.verb) {
      case "create":
        // NodeRestriction looks at the content.
        return yes
      case "get":
      case "update":
      case "patch":
      case "delete":
        return this.#related(node, asked, "resourceslices")
      case "list":
      case "watch":
      case "deletecollection":
        return selectsNode(asked, node)
          ? yes
          : no("can only list/watch/deletecollection resourceslices with nodeName field selector")
      default:
        return no(
          "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection",
        )
    }
  }

  #podCertificate(node: string, asked: AuthorizationAttributes): Decision {
    if (asked.subresource !== "")
      return no("nodes may not access the status subresource of PodCertificateRequests")
    switch (asked.verb) {
      case "create":
        return yes
      case "get":
        return this.#related(node, asked, "podcertificaterequests")
      case "list":
      case "watch":
        return selectsNode(asked, node)
          ? yes
          : no("can only list/watch podcertificaterequests with nodeName field selector")
      default:
        return no(`nodes may not ${asked.verb} podcertificaterequests`)
    }
  }

  #pod(node: string, asked: AuthorizationAttributes): Decision {
    const { verb, subresource } = asked
    switch (subresource) {
      case "":
        switch (verb) {
          case "get":
            return this.#get(node, asked, "pods")
          case "list":
          case "watch":
            if (selectsNode(asked, node)) return yes
            if (asked.name !== "") return this.#related(node, asked, "pods")
            return no("can only list/watch pods with spec.nodeName field selector")
          case "create":
          case "delete":
            return yes
        }
        return noOpinion
      case "status":
        return verb === "update" || verb === "patch" ? yes : noOpinion
      case "eviction":
        return verb === "create" ? yes : noOpinion
      default:
        return noOpinion
    }
  }
}

function ownNode(node: string, { verb, subresource, name }: AuthorizationAttributes): Decision {
  if (subresource === "status") return verb === "update" || verb === "patch" ? yes : noOpinion
  if (subresource !== "") return noOpinion
  switch (verb) {
    case "create":
    case "update":
    case "patch":
      // NodeRestriction keeps it to its own.
      return yes
    case "get":
    case "list":
    case "watch":
      if (name === node) return yes
      return name === ""
        ? no(`node '${node}' cannot read all nodes, only its own Node object`)
        : no(`node '${node}' cannot read '${name}', only its own Node object`)
    default:
      return noOpinion
  }
}

const ownVerbs = new Set(["get", "create", "update", "patch", "delete"])

function ownLease(node: string, { verb, namespace, name }: AuthorizationAttributes): Decision {
  if (!ownVerbs.has(verb)) return no("can only get, create, update, patch, or delete a node lease")
  if (namespace !== "kube-node-lease")
    return no('can only access leases in the "kube-node-lease" system namespace')
  if (verb !== "create" && name !== node)
    return no("can only access node lease with the same name as the requesting node")
  return yes
}

function ownCsiNode(node: string, { verb, subresource, name }: AuthorizationAttributes): Decision {
  if (subresource === "status") return no("CSINode status access requires CSIVolumeHealth feature")
  if (subresource !== "") return no("cannot authorize CSINode subresources")
  if (!ownVerbs.has(verb)) return no("can only get, create, update, patch, or delete a CSINode")
  if (verb !== "create" && name !== node)
    return no("can only access CSINode with the same name as the requesting node")
  return yes
}

/** Whether a list is narrowed to what has the node's name in `spec.nodeName`. */
function selectsNode({ fieldSelector }: AuthorizationAttributes, node: string): boolean {
  if (!fieldSelector) return false
  return fieldSelector.requirements.some(
    ({ field, operator, value }) => field === "spec.nodeName" && operator === "=" && value === node,
  )
}
