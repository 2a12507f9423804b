/** HorizontalPodAutoscaler (autoscaling/v2). Mirrors: pkg/registry/autoscaling/horizontalpodautoscaler */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { HorizontalPodAutoscaler } from "./types.gen.ts"

export const horizontalPodAutoscaler: Kind<HorizontalPodAutoscaler> = defineKind<HorizontalPodAutoscaler>({
  group: "autoscaling",
  version: "v2",
  kind: "HorizontalPodAutoscaler",
  plural: "horizontalpodautoscalers",
  shortNames: ["hpa"],
  categories: ["all"],
  namespaced: true,
  subresources: ["status"],
  schema: "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler",
  storagePrefix: "horizontalpodautoscalers",
})
