/** Applies a pod's runtime class: its overhead and where it may run. Mirrors: plugin/pkg/admission/runtimeclass */
import { pod, runtimeClass } from "@knarr/api"
import type { Pod, Toleration } from "@knarr/api"
import { semanticEqual, sameResource } from "@knarr/apimachinery"
import type { AdmissionPlugin } from "../contract.ts"
import { refusal } from "./refuse.ts"

export const runtimeClassAdmission: AdmissionPlugin = {
  name: "RuntimeClass",
  enabledByDefault: true,
  create: ({ get }) => ({
    handles: (a) => a.operation === "CREATE" && sameResource(a.kind, pod) && a.subresource === "",
    admit(a) {
      const { spec } = a.object as Pod
      if (!spec.runtimeClassName) return
      const found = get(runtimeClass, { name: spec.runtimeClassName })
      if (!found)
        throw refusal(a, `pod rejected: RuntimeClass ${JSON.stringify(spec.runtimeClassName)} not found`)
      if (found.overhead?.podFixed) {
        if (
          spec.overhead &&
          Object.keys(spec.overhead).length > 0 &&
          !semanticEqual(spec.overhead, found.overhead.podFixed)
        )
          throw refusal(a, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead")
        spec.overhead = { ...found.overhead.podFixed }
      }
      const { scheduling } = found
      if (!scheduling) return
      for (const key in scheduling.nodeSelector) {
        const value = scheduling.nodeSelector[key]!
        if (spec.nodeSelector?.[key] !== undefined && spec.nodeSelector[key] !== value)
          throw refusal(
            a,
            `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${spec.nodeSelector[key]}`,
          )
        spec.nodeSelector = { ...spec.nodeSelector, [key]: value }
      }
      const has = (t: Toleration): boolean =>
        (spec.tolerations ?? []).some((own) => JSON.stringify(own) === JSON.stringify(t))
      for (const toleration of scheduling.tolerations ?? [])
        if (!has(toleration)) spec.tolerations = [...(spec.tolerations ?? []), { ...toleration }]
    },
    validate(a) {
      const { spec } = a.object as Pod
      if (spec.runtimeClassName || !spec.overhead) return
      throw refusal(a, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead")
    },
  }),
}
