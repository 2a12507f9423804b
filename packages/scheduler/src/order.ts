/** The plugins that run by default, in order: filters refuse in this order, so messages depend on it. */
import type { PluginList } from "./framework/profile.ts"
import { defaultBinder } from "./plugins/default-binder.plugin.ts"
import { defaultPreemption } from "./plugins/default-preemption.plugin.ts"
import { dynamicResources } from "./plugins/dynamic-resources.plugin.ts"
import { imageLocality } from "./plugins/image-locality.plugin.ts"
import { interPodAffinity } from "./plugins/inter-pod-affinity.plugin.ts"
import { nodeAffinity } from "./plugins/node-affinity.plugin.ts"
import { nodeDeclaredFeatures } from "./plugins/node-declared-features.plugin.ts"
import { nodeName } from "./plugins/node-name.plugin.ts"
import { nodePorts } from "./plugins/node-ports.plugin.ts"
import { nodeResourcesBalancedAllocation } from "./plugins/node-resources-balanced-allocation.plugin.ts"
import { nodeResourcesFit } from "./plugins/node-resources-fit.plugin.ts"
import { nodeVolumeLimits } from "./plugins/node-volume-limits.plugin.ts"
import { nodeUnschedulable } from "./plugins/node-unschedulable.plugin.ts"
import { podTopologySpread } from "./plugins/pod-topology-spread.plugin.ts"
import { prioritySort } from "./plugins/priority-sort.plugin.ts"
import { schedulingGates } from "./plugins/scheduling-gates.plugin.ts"
import { taintToleration } from "./plugins/taint-toleration.plugin.ts"
import { volumeBinding } from "./plugins/volume-binding.plugin.ts"
import { volumeRestrictions } from "./plugins/volume-restrictions.plugin.ts"
import { volumeZone } from "./plugins/volume-zone.plugin.ts"

export const defaultPlugins: PluginList = [
  schedulingGates,
  prioritySort,
  nodeName,
  nodeUnschedulable,
  taintToleration,
  nodeAffinity,
  nodePorts,
  nodeResourcesFit,
  volumeRestrictions,
  nodeVolumeLimits,
  volumeBinding,
  volumeZone,
  podTopologySpread,
  interPodAffinity,
  dynamicResources,
  defaultPreemption,
  nodeResourcesBalancedAllocation,
  imageLocality,
  defaultBinder,
  nodeDeclaredFeatures,
]
