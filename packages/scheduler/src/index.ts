export { type ProfileConfig, type SchedulerOptions, startScheduler } from "./scheduler.ts"
export {
  type Election,
  type SchedulerConfiguration,
  parseSchedulerConfiguration,
  readSchedulerConfiguration,
} from "./config/configuration.ts"
export { DecisionLog, type DecisionRecord, type Refusal, type ScoredNode } from "./decision-log.ts"
export {
  type Handle,
  type PluginConfig,
  type PluginDescriptor,
  type PluginScores,
  type PostFilterResult,
  type QueuedPod,
  type SchedulerPlugin,
  type WaitingPods,
  configurePlugin,
  definePlugin,
  maxNodeScore,
  normalizeByMax,
} from "./framework/plugin.ts"
export {
  type Code,
  NodeStatuses,
  Status,
  pending,
  skip,
  success,
  unresolvable,
  unschedulable,
  wait,
} from "./framework/status.ts"
export { CycleState, type StateKey, stateKey } from "./framework/cycle-state.ts"
export {
  ActionType,
  type ClusterEvent,
  type ClusterEventWithHint,
  type EventResource,
  type QueueingHint,
  type QueueingHintFunction,
  everyEvent,
  onEvent,
} from "./framework/cluster-event.ts"
export type { WaitingPod } from "./framework/waiting-pods.ts"
export { type PluginList, type Profile, type ProfileOptions, createProfile } from "./framework/profile.ts"
export { NodeInfo, type PodInfo, podInfoOf } from "./cache/node-info.ts"
export type { Snapshot } from "./cache/snapshot.ts"
export { ClusterCache } from "./cache/cluster-cache.ts"
export { Nominator } from "./cache/nominator.ts"
export { type Decision, type Diagnosis, type Placement, decide, fitMessage } from "./cycle.ts"
export { defaultPlugins } from "./order.ts"
