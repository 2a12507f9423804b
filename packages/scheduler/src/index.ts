export { type SchedulerOptions, startScheduler } from "./scheduler.ts"
export {
  type ClusterEvent,
  type PreFilterResult,
  type Refusal,
  type SchedulerPlugin,
  type Snapshot,
  definePlugin,
  maxNodeScore,
  normalizeByMax,
} from "./framework.ts"
export { NodeInfo, type PodInfo, podInfoOf } from "./cache/node-info.ts"
export { ClusterCache } from "./cache/cluster-cache.ts"
export { type Decision, decide } from "./cycle.ts"
export { defaultPlugins } from "./order.ts"
