/** Validation of network policies and ingresses. Mirrors: pkg/apis/networking/validation/validation.go */
import {
  field,
  isDNS1123Label,
  isDNS1123Subdomain,
  isDomainPrefixedPath,
  isPathSegmentName,
  isValidPortName,
  isValidPortNum,
  isWildcardDNS1123Subdomain,
  nameIsDNSSubdomain,
  networkContains,
  parseCIDR,
  parseIP,
  validateLabelSelector,
  validateLegacyCIDR,
} from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { immutable, reasons } from "../../checks.ts"
import type {
  HTTPIngressPath,
  Ingress,
  IngressBackend,
  IngressClass,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from "./types.gen.ts"

function validatePolicyPort(path: string, { port, endPort, protocol }: NetworkPolicyPort): FieldError[] {
  const out: FieldError[] = []
  if (protocol !== undefined && !["TCP", "UDP", "SCTP"].includes(protocol))
    out.push(field.notSupported(`${path}.protocol`, protocol, ["TCP", "UDP", "SCTP"]))
  const at = `${path}.endPort`
  if (typeof port === "number") {
    out.push(...reasons(`${path}.port`, port, isValidPortNum(port)))
    if (endPort !== undefined) {
      if (endPort < port) out.push(field.invalid(at, endPort, "must be greater than or equal to `port`"))
      out.push(...reasons(at, endPort, isValidPortNum(endPort)))
    }
  } else if (typeof port === "string") {
    if (endPort !== undefined)
      out.push(field.invalid(at, endPort, "may not be specified when `port` is non-numeric"))
    out.push(...reasons(`${path}.port`, port, isValidPortName(port)))
  } else if (endPort !== undefined) {
    out.push(field.invalid(at, endPort, "may not be specified when `port` is not specified"))
  }
  return out
}

function validatePeer(path: string, peer: NetworkPolicyPeer): FieldError[] {
  const out: FieldError[] = []
  let count = 0
  for (const name of ["podSelector", "namespaceSelector"] as const) {
    if (!peer[name]) continue
    count++
    out.push(...validateLabelSelector(peer[name], `${path}.${name}`))
  }
  const { ipBlock } = peer
  if (ipBlock) {
    count++
    const at = `${path}.ipBlock`
    if (ipBlock.cidr) {
      const errors = validateLegacyCIDR(`${at}.cidr`, ipBlock.cidr, true)
      out.push(...errors)
      const whole = errors.length === 0 ? parseCIDR(ipBlock.cidr) : undefined
      const excepted = errors.length === 0 ? ipBlock.except : []
      excepted?.forEach((text, i) => {
        const where = `${at}.except[${i}]`
        const problems = validateLegacyCIDR(where, text, true)
        out.push(...problems)
        const part = problems.length === 0 ? parseCIDR(text) : undefined
        const address = text.split("/")[0]!
        const ip = parseIP(address)
        if (!whole || !part || !ip) return
        const bits = (cidr: string): number => Number(cidr.split("/")[1])
        if (!networkContains(whole, ip) || bits(text) <= bits(ipBlock.cidr))
          out.push(field.invalid(where, text, "must be a strict subset of `cidr`"))
      })
    }
  }
  if (count === 0) out.push(field.required(path, "must specify a peer"))
  else if (ipBlock && count > 1)
    out.push(field.forbidden(path, "may not specify both ipBlock and another peer"))
  if (ipBlock && !ipBlock.cidr) out.push(field.required(`${path}.ipBlock.cidr`, ""))
  return out
}

export function validateNetworkPolicy({ spec }: Readonly<NetworkPolicy>): FieldError[] {
  const out = validateLabelSelector(spec.podSelector, "spec.podSelector")
  spec.ingress?.forEach((rule, i) => {
    const at = `spec.ingress[${i}]`
    rule.ports?.forEach((port, j) => out.push(...validatePolicyPort(`${at}.ports[${j}]`, port)))
    rule.from?.forEach((peer, j) => out.push(...validatePeer(`${at}.from[${j}]`, peer)))
  })
  spec.egress?.forEach((rule, i) => {
    const at = `spec.egress[${i}]`
    rule.ports?.forEach((port, j) => out.push(...validatePolicyPort(`${at}.ports[${j}]`, port)))
    rule.to?.forEach((peer, j) => out.push(...validatePeer(`${at}.to[${j}]`, peer)))
  })
  const types = spec.policyTypes ?? []
  if (types.length > 2)
    return [...out, field.invalid("spec.policyTypes", types, "may not specify more than two policyTypes")]
  types.forEach((type, i) => {
    if (type !== "Ingress" && type !== "Egress")
      out.push(field.notSupported(`spec.policyTypes[${i}]`, type, ["Ingress", "Egress"]))
  })
  return out
}

function validateHost(path: string, host: string): FieldError[] {
  return reasons(path, host, host.includes("*") ? isWildcardDNS1123Subdomain(host) : isDNS1123Subdomain(host))
}

function validateBackend(path: string, backend: IngressBackend | undefined): FieldError[] {
  const { resource, service } = backend ?? {}
  if (resource && service) return [field.invalid(path, "", "cannot set both resource and service backends")]
  if (resource) {
    const out: FieldError[] = []
    for (const name of ["kind", "name"] as const) {
      if (!resource[name]) out.push(field.required(`${path}.resource.${name}`, ""))
      else out.push(...reasons(`${path}.resource.${name}`, resource[name], isPathSegmentName(resource[name])))
    }
    return out
  }
  if (!service) return [field.invalid(path, "", "resource or service backend is required")]
  const out: FieldError[] = []
  const at = `${path}.service`
  if (!service.name) out.push(field.required(`${at}.name`, ""))
  else out.push(...reasons(`${at}.name`, service.name, isDNS1123Label(service.name)))
  const { name, number } = service.port ?? {}
  if (name && number) out.push(field.invalid(path, "", "cannot set both port name & port number"))
  else if (name) out.push(...reasons(`${at}.port.name`, name, isValidPortName(name)))
  else if (number) out.push(...reasons(`${at}.port.number`, number, isValidPortNum(number)))
  else out.push(field.required(path, "port name or number is required"))
  return out
}

const badSequences = ["//", "/./", "/../", "%2f", "%2F"]
const badEndings = ["/..", "/."]

function validatePath(path: string, item: HTTPIngressPath): FieldError[] {
  const out: FieldError[] = []
  const at = `${path}.path`
  const text = item.path ?? ""
  switch (item.pathType) {
    case undefined:
      return [field.required(`${path}.pathType`, "pathType must be specified")]
    case "Exact":
    case "Prefix":
      if (!text.startsWith("/")) out.push(field.invalid(at, text, "must be an absolute path"))
      if (text !== "") {
        for (const bad of badSequences)
          if (text.includes(bad)) out.push(field.invalid(at, text, `must not contain '${bad}'`))
        for (const bad of badEndings)
          if (text.endsWith(bad)) out.push(field.invalid(at, text, `cannot end with '${bad}'`))
      }
      break
    case "ImplementationSpecific":
      if (text !== "" && !text.startsWith("/")) out.push(field.invalid(at, text, "must be an absolute path"))
      break
    default:
      out.push(
        field.notSupported(`${path}.pathType`, item.pathType, ["Exact", "ImplementationSpecific", "Prefix"]),
      )
  }
  return [...out, ...validateBackend(`${path}.backend`, item.backend)]
}

export function validateIngress({ metadata, spec }: Readonly<Ingress>): FieldError[] {
  const out: FieldError[] = []
  const rules = spec.rules ?? []
  if (rules.length === 0 && !spec.defaultBackend)
    out.push(
      field.invalid(
        "spec",
        rules.length === 0 ? null : rules,
        "either `defaultBackend` or `rules` must be specified",
      ),
    )
  if (spec.defaultBackend) out.push(...validateBackend("spec.defaultBackend", spec.defaultBackend))
  rules.forEach(({ host, http }, i) => {
    const at = `spec.rules[${i}]`
    if (host) {
      if (parseIP(host)) out.push(field.invalid(`${at}.host`, host, "must be a DNS name, not an IP address"))
      out.push(...validateHost(`${at}.host`, host))
    }
    if (!http) return
    if (!http.paths?.length) out.push(field.required(`${at}.http.paths`, ""))
    http.paths?.forEach((item, j) => out.push(...validatePath(`${at}.http.paths[${j}]`, item)))
  })
  spec.tls?.forEach(({ hosts, secretName }, i) => {
    hosts?.forEach((host, j) => out.push(...validateHost(`spec.tls[${i}].hosts[${j}]`, host)))
    if (secretName)
      out.push(...reasons(`spec.tls[${i}].secretName`, secretName, nameIsDNSSubdomain(secretName, false)))
  })
  const className = spec.ingressClassName
  if (className !== undefined)
    out.push(...reasons("spec.ingressClassName", className, nameIsDNSSubdomain(className, false)))
  const annotation = metadata.annotations?.["kubernetes.io/ingress.class"]
  if (
    !metadata.resourceVersion &&
    annotation !== undefined &&
    className !== undefined &&
    annotation !== className
  )
    out.push(
      field.invalid(
        "metadata.annotations.kubernetes.io/ingress.class",
        annotation,
        "must match `ingressClassName` when both are specified",
      ),
    )
  return out
}

export function validateIngressClass(
  { spec }: Readonly<IngressClass>,
  old?: Readonly<IngressClass>,
): FieldError[] {
  const controller = spec.controller ?? ""
  const out = old ? immutable("spec.controller", controller, old.spec.controller ?? "") : []
  if (controller.length > 250) out.push(field.tooLong("spec.controller", "", 250))
  out.push(...isDomainPrefixedPath("spec.controller", controller))
  const { parameters } = spec
  if (!parameters) return out
  const path = "spec.parameters"
  const { apiGroup } = parameters
  if (apiGroup !== undefined) out.push(...reasons(`${path}.apiGroup`, apiGroup, isDNS1123Subdomain(apiGroup)))
  for (const name of ["kind", "name"] as const) {
    if (!parameters[name]) out.push(field.required(`${path}.${name}`, ""))
    else out.push(...reasons(`${path}.${name}`, parameters[name], isPathSegmentName(parameters[name])))
  }
  const { scope, namespace } = parameters
  if (scope === "Namespace" && namespace === undefined)
    out.push(field.required(`${path}.namespace`, "`parameters.scope` is set to 'Namespace'"))
  if (scope === "Namespace" && namespace !== undefined)
    out.push(...reasons(`${path}.namespace`, namespace, isDNS1123Label(namespace)))
  if (scope === "Cluster" && namespace !== undefined)
    out.push(field.forbidden(`${path}.namespace`, "`parameters.scope` is set to 'Cluster'"))
  if (scope !== undefined && scope !== "Cluster" && scope !== "Namespace")
    out.push(field.notSupported(`${path}.scope`, scope, ["Cluster", "Namespace"]))
  return out
}
