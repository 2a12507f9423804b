/**
 * The labels and annotations by which sandboxes and containers are found again after a restart.
 * Mirrors: pkg/kubelet/kuberuntime/labels.go, staging/src/k8s.io/kubelet/pkg/types/labels.go
 */
import type { Container, Pod } from "@knarr/api"
import { fnv1a32 } from "@knarr/apimachinery"

export const podNameLabel = "io.kubernetes.pod.name"
export const podNamespaceLabel = "io.kubernetes.pod.namespace"
export const podUidLabel = "io.kubernetes.pod.uid"
export const containerNameLabel = "io.kubernetes.container.name"

export const containerHashAnnotation = "io.kubernetes.container.hash"
export const restartCountAnnotation = "io.kubernetes.container.restartCount"
export const terminationMessagePathAnnotation = "io.kubernetes.container.terminationMessagePath"
export const terminationMessagePolicyAnnotation = "io.kubernetes.container.terminationMessagePolicy"
const preStopHandlerAnnotation = "io.kubernetes.container.preStopHandler"
const portsAnnotation = "io.kubernetes.container.ports"
const podDeletionGracePeriodAnnotation = "io.kubernetes.pod.deletionGracePeriod"
export const podTerminationGracePeriodAnnotation = "io.kubernetes.pod.terminationGracePeriod"

/** Says where a pod came from: `api`, `file`. */
export const configSourceAnnotation = "kubernetes.io/config.source"
/** The hash of a static pod's manifest, which is also its uid on the node. */
export const configHashAnnotation = "kubernetes.io/config.hash"
/** On a mirror: the hash of the static pod that it shows. */
export const configMirrorAnnotation = "kubernetes.io/config.mirror"
export const configSeenAnnotation = "kubernetes.io/config.seen"

export function sandboxLabels(pod: Readonly<Pod>): Record<string, string> {
  return {
    ...pod.metadata.labels,
    [podNameLabel]: pod.metadata.name,
    [podNamespaceLabel]: pod.metadata.namespace!,
    [podUidLabel]: pod.metadata.uid,
  }
}

export function containerLabels(pod: Readonly<Pod>, container: string): Record<string, string> {
  return {
    [podNameLabel]: pod.metadata.name,
    [podNamespaceLabel]: pod.metadata.namespace!,
    [podUidLabel]: pod.metadata.uid,
    [containerNameLabel]: container,
  }
}

export function containerAnnotations(
  pod: Readonly<Pod>,
  container: Readonly<Container>,
  restartCount: number,
): Record<string, string> {
  const out: Record<string, string> = {
    [containerHashAnnotation]: hashContainer(container),
    [restartCountAnnotation]: String(restartCount),
    [terminationMessagePathAnnotation]: container.terminationMessagePath ?? "",
    [terminationMessagePolicyAnnotation]: container.terminationMessagePolicy ?? "",
  }
  const { deletionGracePeriodSeconds } = pod.metadata
  if (deletionGracePeriodSeconds !== undefined)
    out[podDeletionGracePeriodAnnotation] = String(deletionGracePeriodSeconds)
  const { terminationGracePeriodSeconds } = pod.spec
  if (terminationGracePeriodSeconds !== undefined)
    out[podTerminationGracePeriodAnnotation] = String(terminationGracePeriodSeconds)
  if (container.lifecycle?.preStop)
    out[preStopHandlerAnnotation] = JSON.stringify(container.lifecycle.preStop)
  if (container.ports?.length) out[portsAnnotation] = JSON.stringify(container.ports)
  return out
}

/** Changes with what makes a running container another one: its name and its image. */
export function hashContainer(container: Readonly<Container>): string {
  return fnv1a32(JSON.stringify({ image: container.image ?? "", name: container.name })).toString(16)
}

/** `name_namespace(uid)`, as events name a pod. */
export function podText(pod: Readonly<Pod>): string {
  return `${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})`
}

/** Whether the object only shows a static pod. */
export function isMirrorPod(pod: Readonly<Pod>): boolean {
  return pod.metadata.annotations?.[configMirrorAnnotation] !== undefined
}

/** Whether the pod is from a file. */
export function isStaticPod(pod: Readonly<Pod>): boolean {
  const source = pod.metadata.annotations?.[configSourceAnnotation]
  return source !== undefined && source !== "api"
}
