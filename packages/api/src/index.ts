/** The built-in API: every kind, its types and the rules that other packages share. */
import "./schemas.gen.ts"

export * from "./kinds.gen.ts"
export { type Creatable } from "./creatable.ts"
export { kubernetesVersion } from "./kubernetes-version.ts"

export type * from "./admissionregistration/v1/types.gen.ts"
export type * from "./apiextensions/v1/types.gen.ts"
export type * from "./apiregistration/v1/types.gen.ts"
export type * from "./apps/v1/types.gen.ts"
export type * from "./authentication/v1/types.gen.ts"
export type * from "./authorization/v1/types.gen.ts"
export type * from "./autoscaling/v2/types.gen.ts"
export type * from "./batch/v1/types.gen.ts"
export type * from "./certificates/v1/types.gen.ts"
export type * from "./coordination/v1/types.gen.ts"
export type * from "./core/v1/types.gen.ts"
export type * from "./discovery/v1/types.gen.ts"
export type * from "./networking/v1/types.gen.ts"
export type * from "./node/v1/types.gen.ts"
export type * from "./policy/v1/types.gen.ts"
export type * from "./rbac/v1/types.gen.ts"
export type * from "./scheduling/v1/types.gen.ts"
export type * from "./storage/v1/types.gen.ts"

// Names that several groups use: the plain name is the one that most people mean.
export type {
  ServiceReference as AdmissionServiceReference,
  WebhookClientConfig,
} from "./admissionregistration/v1/types.gen.ts"
export type {
  ServiceReference as ConversionServiceReference,
  WebhookClientConfig as ConversionWebhookClientConfig,
} from "./apiextensions/v1/types.gen.ts"
export type { ServiceReference } from "./apiregistration/v1/types.gen.ts"
export type { TokenRequest } from "./authentication/v1/types.gen.ts"
export type { TokenRequest as CSITokenRequest } from "./storage/v1/types.gen.ts"
export type { EndpointPort } from "./core/v1/types.gen.ts"
export type { EndpointPort as EndpointSlicePort } from "./discovery/v1/types.gen.ts"
export type { Event as EventsEvent } from "./events/v1/types.gen.ts"
export type { Scale } from "./autoscaling/v1/types.gen.ts"

export type * as autoscalingV1 from "./autoscaling/v1/types.gen.ts"
export type * as eventsV1 from "./events/v1/types.gen.ts"
export type * as flowcontrolV1 from "./flowcontrol/v1/types.gen.ts"
export { mandatoryFlowSchemas, mandatoryPriorityLevels } from "./flowcontrol/v1/mandatory.ts"
export type * as resourceV1 from "./resource/v1/types.gen.ts"
export type * as storagemigrationV1 from "./storagemigration/v1/types.gen.ts"

export {
  definitionCleanupFinalizer,
  withDefinitionCondition,
} from "./apiextensions/v1/definition-conditions.ts"
export { hoist as hoistDefinition } from "./apiextensions/v1/hoisted-spec.ts"
export { setConditionTimes } from "./certificates/v1/request.strategy.ts"
export { parseSigningRequest, validateRequestApproval } from "./certificates/v1/request.validate.ts"
export { type QosClass, qosClassOf } from "./core/v1/pod.qos.ts"
export { type Amounts, sumContainers } from "./core/v1/pod-resource-sums.ts"
export { validatePod } from "./core/v1/pod.validate.ts"
export { dropDisabledFields } from "./core/v1/pod-disabled-fields.ts"
export { validatePodTemplate } from "./core/v1/pod-spec.validate.ts"
export { setPodTemplateDefaults } from "./core/v1/pod-spec.defaults.ts"
export { completePodLevelResources } from "./core/v1/pod-level-resources.ts"
export { isExtendedResource, isHugePages, isOvercommitAllowed } from "./core/v1/resources.validate.ts"
export { isHeadless, needsHealthCheck, validateClusterIPs } from "./core/v1/service.validate.ts"
export { isExternallyAccessible } from "./core/v1/service.defaults.ts"
export { type Schedule, parseCron } from "./batch/v1/cron.ts"
export { comparedParts, type PolicyRuleLike, uncoveredRules } from "./rbac/v1/uncovered-rules.ts"
export { columnTexts } from "./column-texts.gen.ts"
export {
  type BootstrapSecret,
  bootstrapSecretName,
  bootstrapTokenNamespace,
  bootstrapTokenType,
  isBootstrapExpired,
  parseBootstrapToken,
  readBootstrapSecret,
} from "./core/v1/bootstrap-token.ts"
