/** HorizontalPodAutoscaler (autoscaling/v1). Mirrors: pkg/registry/autoscaling/horizontalpodautoscaler */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, text } from "../../columns.ts"
import { metricsText } from "../v2/metrics-text.ts"
import { horizontalPodAutoscaler } from "../v2/horizontalpodautoscaler.kind.ts"
import { validateAutoscaler, validateAutoscalerStatus } from "../v2/autoscaler.validate.ts"
import { autoscalerFromV2, autoscalerToV2 } from "./autoscaler.conversion.ts"
import type { HorizontalPodAutoscaler as V2 } from "../v2/types.gen.ts"
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
  setDefaults(autoscaler) {
    autoscaler.spec.minReplicas ??= 1
    // Without any metric in the annotations, there is one of the CPU.
    if (!autoscalerToV2(autoscaler).spec.metrics?.length) autoscaler.spec.targetCPUUtilizationPercentage = 80
  },
  storedAs: () => horizontalPodAutoscaler,
  toStored: autoscalerToV2,
  fromStored: (obj) => autoscalerFromV2(obj as V2),
  columns: [
    text("Reference", ({ spec }) => `${spec.scaleTargetRef.kind}/${spec.scaleTargetRef.name}`),
    text("Targets", (obj) => metricsText(autoscalerToV2(obj))),
    text("MinPods", ({ spec }) => String(spec.minReplicas ?? "<unset>")),
    text("MaxPods", ({ spec }) => spec.maxReplicas),
    text("Replicas", ({ status }) => status.currentReplicas ?? 0),
    age,
  ],
  validate: (obj) => validateAutoscaler(autoscalerToV2(obj)),
  validateStatusUpdate: (obj) => validateAutoscalerStatus(autoscalerToV2(obj)),
})
