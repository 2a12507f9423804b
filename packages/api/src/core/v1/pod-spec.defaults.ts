/**
 * Defaults of pods and pod templates. Pods get a few more than templates do: see pod.kind.ts.
 * Mirrors: pkg/apis/core/v1/defaults.go
 */
import { requestLimits, roundUpRequirements, roundUpResources } from "./quantities.defaults.ts"
import { setVolumeDefaults } from "./volume.defaults.ts"
import type {
  Container,
  EphemeralContainer,
  LifecycleHandler,
  Pod,
  PodSpec,
  PodTemplateSpec,
  Probe,
} from "./types.gen.ts"
import { pullPolicyOf } from "./pull-policy.ts"

/** Defaults of a pod's spec, be it in a pod or in a template. */
function setPodSpecDefaults(spec: PodSpec): void {
  spec.containers ??= []
  if (!spec.serviceAccountName) {
    if (spec.serviceAccount) spec.serviceAccountName = spec.serviceAccount
    else {
      delete spec.serviceAccountName
      delete spec.serviceAccount
    }
  } else spec.serviceAccount = spec.serviceAccountName
  spec.dnsPolicy ||= "ClusterFirst"
  spec.restartPolicy ||= "Always"
  spec.securityContext ??= {}
  spec.terminationGracePeriodSeconds ??= 30
  spec.schedulerName ||= "default-scheduler"
  for (const volume of spec.volumes ?? []) setVolumeDefaults(volume)
  for (const container of spec.initContainers ?? []) setContainerDefaults(container)
  for (const container of spec.containers) setContainerDefaults(container)
  for (const container of spec.ephemeralContainers ?? []) setContainerDefaults(container)
  roundUpResources(spec.overhead)
  roundUpRequirements(spec.resources)
}

/** What a pod gets beyond its spec's defaults. */
export function setPodDefaults(pod: Pod): void {
  const spec = (pod.spec ??= { containers: [] })
  const status = (pod.status ??= {})
  if (spec.terminationGracePeriodSeconds !== undefined && spec.terminationGracePeriodSeconds < 0)
    spec.terminationGracePeriodSeconds = 1
  setPodSpecDefaults(spec)
  for (const container of [...spec.containers, ...(spec.initContainers ?? [])])
    requestLimits(container.resources)
  spec.enableServiceLinks ??= true
  if (spec.hostNetwork) setHostPorts(spec)
  if (status.podIP && status.podIPs?.[0]?.ip !== status.podIP) status.podIPs = [{ ip: status.podIP }]
  else if (!status.podIP && status.podIPs?.[0]) status.podIP = status.podIPs[0].ip
}

/** On the node's network a container port is a host port. */
function setHostPorts(spec: PodSpec): void {
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    for (const port of container.ports ?? []) port.hostPort ||= port.containerPort
  }
}

/** Defaults of a template. A template without `spec` gets an empty one. */
export function setPodTemplateDefaults(template: PodTemplateSpec): void {
  template.metadata ??= {}
  template.spec ??= { containers: [] }
  setPodSpecDefaults(template.spec)
}

function setContainerDefaults(container: Container | EphemeralContainer): void {
  container.imagePullPolicy ||= pullPolicyOf(container.image ?? "")
  container.terminationMessagePath ||= "/dev/termination-log"
  container.terminationMessagePolicy ||= "File"
  container.resources ??= {}
  roundUpRequirements(container.resources)
  for (const port of container.ports ?? []) port.protocol ||= "TCP"
  for (const { valueFrom } of container.env ?? []) {
    if (valueFrom?.fieldRef) valueFrom.fieldRef.apiVersion ||= "v1"
    if (valueFrom?.fileKeyRef) valueFrom.fileKeyRef.optional ??= false
    if (valueFrom?.resourceFieldRef) valueFrom.resourceFieldRef.divisor ??= "0"
  }
  setProbeDefaults(container.livenessProbe)
  setProbeDefaults(container.readinessProbe)
  setProbeDefaults(container.startupProbe)
  setHandlerDefaults(container.lifecycle?.postStart)
  setHandlerDefaults(container.lifecycle?.preStop)
}

function setProbeDefaults(probe: Probe | undefined): void {
  if (!probe) return
  probe.timeoutSeconds ||= 1
  probe.periodSeconds ||= 10
  probe.successThreshold ||= 1
  probe.failureThreshold ||= 3
  if (probe.grpc) probe.grpc.service ??= ""
  setHandlerDefaults(probe)
}

function setHandlerDefaults(handler: Pick<LifecycleHandler, "httpGet"> | undefined): void {
  if (!handler?.httpGet) return
  handler.httpGet.path ||= "/"
  handler.httpGet.scheme ||= "HTTP"
}
