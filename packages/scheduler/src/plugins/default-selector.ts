/**
 * What selects a pod together with its siblings: the selectors of its services and of its controller.
 * Mirrors: plugins/helper/spread.go DefaultSelector
 */
import { replicaSet, replicationController, service, statefulSet, type Pod } from "@knarr/api"
import {
  controllerOf,
  selectorFrom,
  selectorFromLabels,
  selectorOf,
  type LabelRequirement,
  type Selector,
} from "@knarr/apimachinery"
import type { InformerFactory } from "@knarr/client"

/** Undefined for a pod that belongs to nothing. */
export function createDefaultSelector(
  informers: InformerFactory,
): (pod: Readonly<Pod>) => Selector | undefined {
  const services = informers.informer(service)
  const sets = informers.informer(replicaSet)
  const controllers = informers.informer(replicationController)
  const stateful = informers.informer(statefulSet)
  return (of) => {
    const requirements: LabelRequirement[] = []
    for (const candidate of services.list(of.metadata.namespace)) {
      const { selector } = candidate.spec
      if (!selector || Object.keys(selector).length === 0) continue
      const compiled = selectorFromLabels(selector)
      if (compiled.matches(of.metadata.labels)) requirements.push(...compiled.requirements)
    }
    const owner = controllerOf(of)
    if (owner) {
      const ref = { namespace: of.metadata.namespace, name: owner.name }
      if (owner.kind === "ReplicaSet")
        requirements.push(...selectorFrom(sets.get(ref)?.spec.selector).requirements)
      else if (owner.kind === "StatefulSet")
        requirements.push(...selectorFrom(stateful.get(ref)?.spec.selector).requirements)
      else if (owner.kind === "ReplicationController")
        requirements.push(...selectorFromLabels(controllers.get(ref)?.spec.selector ?? {}).requirements)
    }
    return requirements.length === 0 ? undefined : selectorOf(requirements)
  }
}
