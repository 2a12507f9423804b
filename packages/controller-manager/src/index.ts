export { type ControllersOptions, createControllers } from "./controllers.ts"
