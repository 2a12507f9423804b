/** APIService (apiregistration.k8s.io/v1). Mirrors: pkg/registry/apiregistration/apiservice */
import { defineKind, formatTime, type Kind } from "@knarr/apimachinery"
import { age, text } from "../../columns.ts"
import { nameOfAPIService, validateAPIService } from "./apiservice.validate.ts"
import type { APIService } from "./types.gen.ts"

export const apiService: Kind<APIService> = defineKind<APIService>({
  group: "apiregistration.k8s.io",
  version: "v1",
  kind: "APIService",
  plural: "apiservices",
  categories: ["api-extensions"],
  namespaced: false,
  subresources: ["status"],
  statusKeeps: "metadata",
  finalizers: "qualified",
  repeatsProblems: true,
  schema: "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService",
  columns: [
    text("Service", ({ spec }) =>
      spec.service ? `${spec.service.namespace}/${spec.service.name}` : "Local",
    ),
    text("Available", ({ status }) => {
      const condition = status.conditions?.find(({ type }) => type === "Available")
      if (!condition) return "Unknown"
      return condition.status !== "True" && condition.reason
        ? `${condition.status} (${condition.reason})`
        : condition.status
    }),
    age,
  ],
  setDefaults({ spec }) {
    if (spec.service) spec.service.port ??= 443
  },
  prepareForCreate(obj, { nowMs }) {
    // Groups that this server serves itself are there from the first moment.
    if (obj.spec.service) return
    obj.status = {
      conditions: [
        {
          type: "Available",
          status: "True",
          lastTransitionTime: formatTime(nowMs),
          reason: "Local",
          message: "Local APIServices are always available",
        },
      ],
    }
  },
  hasGeneration: false,
  allowUnconditionalUpdate: false,
  validateName: nameOfAPIService,
  validate: validateAPIService,
})
