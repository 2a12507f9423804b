/** HorizontalPodAutoscaler (autoscaling/v2). Mirrors: pkg/registry/autoscaling/horizontalpodautoscaler */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, text } from "../../columns.ts"
import { metricsText } from "./metrics-text.ts"
import { setAutoscalerDefaults } from "./autoscaler.defaults.ts"
import { validateAutoscaler, validateAutoscalerStatus } from "./autoscaler.validate.ts"
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
  columns: [
    text("Reference", ({ spec }) => `${spec.scaleTargetRef.kind}/${spec.scaleTargetRef.name}`),
    text("Targets", metricsText),
    text("MinPods", ({ spec }) => String(spec.minReplicas ?? "<unset>")),
    text("MaxPods", ({ spec }) => spec.maxReplicas),
    text("Replicas", ({ status }) => status.currentReplicas ?? 0),
    age,
  ],
  setDefaults: setAutoscalerDefaults,
  validate: validateAutoscaler,
  validateStatusUpdate: validateAutoscalerStatus,
})
