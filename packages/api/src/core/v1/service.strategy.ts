/** What a service leaves behind when its type changes. Mirrors: pkg/registry/core/service/strategy.go */
import { deepEqual } from "@knarr/apimachinery"
import { isExternallyAccessible } from "./service.defaults.ts"
import { needsHealthCheck } from "./service.validate.ts"
import type { Service, ServiceSpec } from "./types.gen.ts"

function hasClusterIP(spec: Readonly<ServiceSpec>): boolean {
  return spec.type !== "ExternalName"
}

function hasNodePorts(spec: Readonly<ServiceSpec>): boolean {
  return spec.type === "NodePort" || spec.type === "LoadBalancer"
}

/** Drops fields that the old type needed and the new one does not, as long as the user has not touched them. */
export function prepareServiceForUpdate({ spec, status }: Service, old: Readonly<Service>): void {
  const was = old.spec
  const dropSame = (name: keyof ServiceSpec): void => {
    if (deepEqual(spec[name], was[name])) delete spec[name]
  }
  if (hasClusterIP(was) && !hasClusterIP(spec)) {
    if (deepEqual(spec.clusterIPs, was.clusterIPs)) {
      delete spec.clusterIP
      delete spec.clusterIPs
    }
    dropSame("ipFamilies")
    dropSame("ipFamilyPolicy")
    dropSame("internalTrafficPolicy")
  }
  if (hasNodePorts(was) && !hasNodePorts(spec)) {
    const before = new Set(was.ports?.map(({ nodePort }) => nodePort))
    if (spec.ports?.every(({ nodePort }) => !nodePort || before.has(nodePort)))
      for (const port of spec.ports) delete port.nodePort
  }
  if (needsHealthCheck(was) && !needsHealthCheck(spec)) dropSame("healthCheckNodePort")
  if (was.type === "LoadBalancer" && spec.type !== "LoadBalancer") {
    dropSame("allocateLoadBalancerNodePorts")
    dropSame("loadBalancerClass")
  }
  if (isExternallyAccessible(was) && !isExternallyAccessible(spec)) dropSame("externalTrafficPolicy")
  if (spec.type !== "LoadBalancer") status.loadBalancer = {}
}
