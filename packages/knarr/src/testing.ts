/** `knarr/testing`: whole control planes inside a test process, and scenarios on virtual time. */
export { VirtualClock } from "@knarr/base"
export type { SimulatedNode, SimulatedNodeOptions } from "./simulated-nodes.ts"
export { loadScenario } from "./simulate/load-scenario.ts"
export {
  runScenario,
  type ScenarioOptions,
  type ScenarioReport,
  type ScenarioResult,
} from "./simulate/run-scenario.ts"
export type { Scenario } from "./simulate/scenario.ts"
export {
  startControlPlane,
  type ListeningControlPlane,
  type TestControlPlane,
  type TestControlPlaneOptions,
  type VirtualControlPlane,
} from "./test-control-plane.ts"
