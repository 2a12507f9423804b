export { type ControllersOptions, controllers, createControllers } from "./controllers.ts"
