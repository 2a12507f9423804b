/** PriorityLevelConfiguration (flowcontrol.apiserver.k8s.io/v1). Mirrors: pkg/registry/flowcontrol/prioritylevelconfiguration */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age, text } from "../../columns.ts"
import { validateFlowSchemaStatus } from "./flowschema.validate.ts"
import { validatePriorityLevel } from "./prioritylevelconfiguration.validate.ts"
import type { PriorityLevelConfiguration } from "./types.gen.ts"

export const priorityLevelConfiguration: Kind<PriorityLevelConfiguration> =
  defineKind<PriorityLevelConfiguration>({
    group: "flowcontrol.apiserver.k8s.io",
    version: "v1",
    kind: "PriorityLevelConfiguration",
    plural: "prioritylevelconfigurations",
    namespaced: false,
    subresources: ["status"],
    statusKeeps: "metadata",
    schema: "io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration",
    storagePrefix: "prioritylevelconfigurations",
    columns: [
      text("Type", ({ spec }) => spec.type),
      text("NominalConcurrencyShares", ({ spec: { limited } }) =>
        limited ? (limited.nominalConcurrencyShares ?? 0) : "<none>",
      ),
      text("Queues", ({ spec }) => spec.limited?.limitResponse?.queuing?.queues ?? "<none>"),
      text("HandSize", ({ spec }) => spec.limited?.limitResponse?.queuing?.handSize ?? "<none>"),
      text(
        "QueueLengthLimit",
        ({ spec }) => spec.limited?.limitResponse?.queuing?.queueLengthLimit ?? "<none>",
      ),
      age,
    ],
    validate: validatePriorityLevel,
    validateStatusUpdate: validateFlowSchemaStatus,
    setDefaults({ spec: { limited, exempt } }) {
      if (exempt) {
        exempt.nominalConcurrencyShares ??= 0
        exempt.lendablePercent ??= 0
      }
      if (limited) {
        limited.nominalConcurrencyShares ??= 30
        limited.lendablePercent ??= 0
        const { queuing } = (limited.limitResponse ??= { type: "" })
        if (queuing) {
          queuing.handSize ||= 8
          queuing.queues ||= 64
          queuing.queueLengthLimit ||= 50
        }
      }
    },
  })
