/** PriorityLevelConfiguration (flowcontrol.apiserver.k8s.io/v1). Mirrors: pkg/registry/flowcontrol/prioritylevelconfiguration */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { PriorityLevelConfiguration } from "./types.gen.ts"

export const priorityLevelConfiguration: Kind<PriorityLevelConfiguration> =
  defineKind<PriorityLevelConfiguration>({
    group: "flowcontrol.apiserver.k8s.io",
    version: "v1",
    kind: "PriorityLevelConfiguration",
    plural: "prioritylevelconfigurations",
    namespaced: false,
    subresources: ["status"],
    schema: "io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration",
    storagePrefix: "prioritylevelconfigurations",
  })
