export {
  type Cache,
  type Controller,
  type ControllerSpec,
  type ReconcileContext,
  type ReconcileResult,
  type WatchSpec,
  defineController,
} from "./controller.ts"
export type { PolicyRuleLike } from "./rbac.ts"
