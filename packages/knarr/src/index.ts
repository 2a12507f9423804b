export { type TestControlPlane, type TestControlPlaneOptions, startControlPlane } from "./testing.ts"
export { allocatorSettings, daemonNodeFlags } from "./daemon-settings.ts"
