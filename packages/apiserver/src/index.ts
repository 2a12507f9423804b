export { type ApiServer, type ApiServerOptions, type PathHandler, startApiServer } from "./api-server.ts"
export {
  type ControlPlane,
  type ControlPlaneOptions,
  type ServiceAccountOptions,
  createControlPlane,
  defaultServiceCIDR,
} from "./control-plane.ts"
export type { HostedVersion } from "./aggregator/hosted.ts"
export { hostResourceMetrics } from "./resource-metrics/resource-metrics.ts"
export { Samples } from "./resource-metrics/samples.ts"
export type { KnownNodeUse } from "./resource-metrics/usage.ts"
export { featureGates } from "./server/feature-gates.gen.ts"
export type { KubeletOptions } from "./endpoints/connect/kubelet.ts"
export { type OpenApiDocs, readOpenApiDocs } from "./endpoints/openapi-docs.ts"
export type { ServingCertificates } from "./server/listener.ts"
export { loopbackUser } from "./authn/users.ts"
export type { AdmissionPlugin, AuthorizationAttributes, Authorizer, Decision, UserInfo } from "./contract.ts"
export type { AuditOptions } from "./audit/auditor.ts"
export type { AuditBackendOptions } from "./audit/log-sink.ts"
export { itemsOf, moveObjects } from "./registry/move-objects.ts"
export { type AuthorizerSpec, type AuthorizerType, authorizerTypes } from "./authz/config.ts"
