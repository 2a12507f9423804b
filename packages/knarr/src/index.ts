export { type TestControlPlane, type TestControlPlaneOptions, startControlPlane } from "./testing.ts"
export { allocatorSettings, serverNodeFlags } from "./daemon-settings.ts"
