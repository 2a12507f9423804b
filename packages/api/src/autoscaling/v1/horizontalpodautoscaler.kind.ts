/** HorizontalPodAutoscaler (autoscaling/v1). Mirrors: pkg/registry/autoscaling/horizontalpodautoscaler */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { HorizontalPodAutoscaler } from "./types.gen.ts"

export const horizontalPodAutoscalerV1: Kind<HorizontalPodAutoscaler> = defineKind<HorizontalPodAutoscaler>({
  group: "autoscaling",
  version: "v1",
  kind: "HorizontalPodAutoscaler",
  plural: "horizontalpodautoscalers",
  shortNames: ["hpa"],
  categories: ["all"],
  namespaced: true,
  subresources: ["status"],
  schema: "io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler",
  storagePrefix: "horizontalpodautoscalers",
  setDefaults({ spec }) {
    spec.minReplicas ??= 1
  },
})
