export {
  type ListeningControlPlane,
  type TestControlPlane,
  type TestControlPlaneOptions,
  type VirtualControlPlane,
  startControlPlane,
} from "./testing.ts"
export { allocatorSettings, serverNodeFlags } from "./daemon-settings.ts"
export {
  type NodeContext,
  type NodePart,
  type PartDeps,
  type RunningPart,
  defineNodePart,
} from "./node/node-part.ts"
export { type NodeParts, type NodePartsOptions, startNodeParts } from "./node/node-parts.ts"
