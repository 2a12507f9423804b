export { type TestControlPlane, type TestControlPlaneOptions, startControlPlane } from "./testing.ts"
