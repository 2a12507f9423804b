/** Defaults of a Service; addresses and node ports are the API server's to give. Mirrors: pkg/apis/core/v1/defaults.go */
import type { Service, ServiceSpec } from "./types.gen.ts"

/** Whether traffic from outside the cluster can reach the service. */
export function isExternallyAccessible(spec: Readonly<ServiceSpec>): boolean {
  return (
    spec.type === "LoadBalancer" ||
    spec.type === "NodePort" ||
    (spec.type === "ClusterIP" && (spec.externalIPs?.length ?? 0) > 0)
  )
}

export function setServiceDefaults(service: Service): void {
  const spec = (service.spec ??= {})
  service.status ??= {}
  service.status.loadBalancer ??= {}
  spec.sessionAffinity ||= "None"
  if (spec.sessionAffinity === "None") delete spec.sessionAffinityConfig
  else if (
    spec.sessionAffinity === "ClientIP" &&
    spec.sessionAffinityConfig?.clientIP?.timeoutSeconds === undefined
  )
    spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: 10_800 } }
  spec.type ||= "ClusterIP"
  for (const port of spec.ports ?? []) {
    port.protocol ||= "TCP"
    if (!port.targetPort) port.targetPort = port.port
  }
  if (isExternallyAccessible(spec)) spec.externalTrafficPolicy ||= "Cluster"
  if (spec.type !== "ExternalName") spec.internalTrafficPolicy ??= "Cluster"
  if (spec.type === "LoadBalancer") {
    spec.allocateLoadBalancerNodePorts ??= true
    for (const ingress of service.status.loadBalancer.ingress ?? []) if (ingress.ip) ingress.ipMode ??= "VIP"
  }
}
