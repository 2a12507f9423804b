/** PodDisruptionBudget (policy/v1). Mirrors: pkg/registry/policy/poddisruptionbudget */
import { defineKind, isPathSegmentName, type Kind } from "@knarr/apimachinery"
import { notNegative } from "../../checks.ts"
import { age, integer, text } from "../../columns.ts"
import { validateConditions } from "../../conditions.validate.ts"
import { validateBudget } from "./budget.validate.ts"
import type { PodDisruptionBudget } from "./types.gen.ts"

export const podDisruptionBudget: Kind<PodDisruptionBudget> = defineKind<PodDisruptionBudget>({
  group: "policy",
  version: "v1",
  kind: "PodDisruptionBudget",
  plural: "poddisruptionbudgets",
  shortNames: ["pdb"],
  namespaced: true,
  subresources: ["status"],
  finalizers: "qualified",
  schema: "io.k8s.api.policy.v1.PodDisruptionBudget",
  storagePrefix: "poddisruptionbudgets",
  columns: [
    text("Min Available", ({ spec }) => String(spec.minAvailable ?? "N/A")),
    text("Max Unavailable", ({ spec }) => String(spec.maxUnavailable ?? "N/A")),
    integer("Allowed Disruptions", ({ status }) => status.disruptionsAllowed ?? 0),
    age,
  ],
  // Upstream asks nothing of its name but what a path asks of every name.
  validateName: isPathSegmentName,
  allowUnconditionalUpdate: false,
  // Go prints these however it is.
  setDefaults({ status }) {
    status.currentHealthy ??= 0
    status.desiredHealthy ??= 0
    status.disruptionsAllowed ??= 0
    status.expectedPods ??= 0
  },
  validate: validateBudget,
  validateStatusUpdate: ({ status }) => [
    ...validateConditions("status.conditions", status.conditions),
    ...(["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"] as const).flatMap((name) =>
      notNegative(`status.${name}`, status[name]),
    ),
  ],
})
