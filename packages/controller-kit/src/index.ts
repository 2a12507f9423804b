export {
  type Cache,
  type Controller,
  type ControllerSpec,
  type ReconcileContext,
  type ReconcileResult,
  type WatchSpec,
  defineController,
} from "./controller.ts"
export type { PolicyRuleLike } from "@knarr/api"
export { type RunControllersOptions, runControllers } from "./manager.ts"
export { type ControllerRole, controllerNamespace, ensureRbac, rbacObjects } from "./rbac-objects.ts"
export { allow, covers, recordEvents } from "./rules.ts"
export { Expectations, expectationsTimeoutMs } from "./expectations.ts"
export { type SlowStartResult, slowStart } from "./slow-start.ts"
export { perRun, untilAborted } from "./run-state.ts"
export { type ClaimOptions, claimObjects, refersToKind } from "./controller-ref.ts"
