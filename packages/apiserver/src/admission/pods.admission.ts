/**
 * What operators can demand of pods. Mirrors:
 * plugin/pkg/admission/{alwayspullimages,antiaffinity,extendedresourcetoleration}
 */
import { isExtendedResource, pod } from "@knarr/api"
import type { Container, Pod, Toleration } from "@knarr/api"
import {
  aggregate,
  compareBytes,
  deepEqual,
  field,
  fieldErrorMessage,
  forbidden,
  sameResource,
  unexpectedError,
} from "@knarr/apimachinery"
import type { AdmissionAttributes, AdmissionPlugin } from "../contract.ts"
import { refusal } from "./refuse.ts"

/** Whether a pod itself is made or changed. */
export const isPodWrite = (a: AdmissionAttributes): boolean =>
  (a.operation === "CREATE" || a.operation === "UPDATE") && a.subresource === "" && sameResource(a.kind, pod)

type PulledContainer = Pick<Container, "image" | "imagePullPolicy"> & { imagePullPolicy?: string | undefined }

function containersOf({ spec }: Readonly<Pod>): [path: string, container: PulledContainer][] {
  const of = (name: "initContainers" | "containers" | "ephemeralContainers"): [string, PulledContainer][] =>
    (spec[name] ?? []).map((one, i) => [`spec.${name}[${i}]`, one as PulledContainer])
  return [...of("initContainers"), ...of("containers"), ...of("ephemeralContainers")]
}

/** An update that brings no new image may stay as it is. */
function bringsImages(a: AdmissionAttributes): boolean {
  if (a.operation !== "UPDATE") return true
  const old = new Set(containersOf(a.oldObject as Pod).map(([, { image }]) => image))
  return containersOf(a.object as Pod).some(([, { image }]) => !old.has(image))
}

const always = "Always"

export const alwaysPullImages: AdmissionPlugin = {
  name: "AlwaysPullImages",
  enabledByDefault: false,
  create: () => ({
    handles: isPodWrite,
    admit(a) {
      if (!bringsImages(a)) return
      const object = a.object as Pod
      for (const [, container] of containersOf(object)) container.imagePullPolicy = always
      for (const { image } of object.spec.volumes ?? []) if (image) image.pullPolicy = always
    },
    validate(a) {
      if (!bringsImages(a)) return
      const object = a.object as Pod
      const wrong = containersOf(object).flatMap(([path, { imagePullPolicy = "" }]) =>
        imagePullPolicy === always
          ? []
          : [field.notSupported(`${path}.imagePullPolicy`, imagePullPolicy, [always])],
      )
      for (const [i, { image }] of (object.spec.volumes ?? []).entries())
        if (image && image.pullPolicy !== always)
          wrong.push(
            field.notSupported(`spec.volumes[${i}].image.pullPolicy`, image.pullPolicy ?? "", [always]),
          )
      if (wrong.length > 0)
        throw unexpectedError(aggregate(wrong.map((one) => refusal(a, fieldErrorMessage(one)).message)))
    },
  }),
}

const hostname = "kubernetes.io/hostname"

export const limitPodHardAntiAffinityTopology: AdmissionPlugin = {
  name: "LimitPodHardAntiAffinityTopology",
  enabledByDefault: false,
  create: () => ({
    handles: isPodWrite,
    validate(a) {
      const { metadata, spec } = a.object as Pod
      const terms = spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []
      for (const { topologyKey } of terms)
        if (topologyKey !== hostname)
          throw forbidden(
            { group: "", resource: "pods" },
            metadata.name ?? "",
            `affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey ${topologyKey} but only key ${hostname} is allowed`,
          )
    },
  }),
}

export const extendedResourceToleration: AdmissionPlugin = {
  name: "ExtendedResourceToleration",
  enabledByDefault: false,
  create: () => ({
    handles: isPodWrite,
    admit(a) {
      const { spec } = a.object as Pod
      const names = [...spec.containers, ...(spec.initContainers ?? [])].flatMap(({ resources }) =>
        Object.keys(resources?.requests ?? {}).filter(isExtendedResource),
      )
      for (const key of [...new Set(names)].sort(compareBytes))
        spec.tolerations = withToleration(spec.tolerations ?? [], {
          key,
          operator: "Exists",
          effect: "NoSchedule",
        })
    },
  }),
}

/** The toleration in the place of those that are for the same, or behind all. */
function withToleration(list: readonly Toleration[], toleration: Toleration): Toleration[] {
  if (list.some((one) => deepEqual(one, toleration))) return [...list]
  const isSame = (one: Toleration): boolean =>
    one.key === toleration.key &&
    one.effect === toleration.effect &&
    one.operator === toleration.operator &&
    (one.value ?? "") === (toleration.value ?? "")
  if (!list.some(isSame)) return [...list, toleration]
  return list.map((one) => (isSame(one) ? toleration : one))
}
