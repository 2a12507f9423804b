export { readControllerList } from "./controller-names.ts"
export { type ControllersOptions, createControllers } from "./controllers.ts"
