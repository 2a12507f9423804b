/** The node agent: what the distribution wires. */
export {
  type ContainerRuntime,
  type ResyncEvent,
  type RuntimeCall,
  type RuntimeEvent,
  type RuntimeRequest,
  type RuntimeResponse,
  RuntimeError,
  isRuntimeNotFound,
} from "./runtime/container-runtime.ts"
export {
  type Containerd,
  type ContainerdOptions,
  type ContainerdPaths,
  containerdPaths,
  defaultRunDir,
  ensureContainerd,
  importImage,
} from "./runtime/containerd.ts"
export { mountsAt } from "./pod-worker/sub-path.ts"
export { type NodeRuntime, connectRuntime, socketOfEndpoint } from "./runtime/node-runtime.ts"
export { type StopContainerdOptions, stopContainerd, unmountBelow } from "./runtime/containerd-stop.ts"
export { findBinary } from "./runtime/containerd-host.ts"
export { type CriRuntimeOptions, createCriRuntime } from "./runtime/cri-runtime.ts"
export {
  type ImageFile,
  type ImageSpecification,
  createImageTar,
  hostArchitecture,
} from "./runtime/oci-image.ts"
export { createPauseImageTar, pauseImage } from "./runtime/pause-image.ts"
export {
  type SimulatedBehaviour,
  type SimulatedContainer,
  type SimulatedExec,
  type SimulatedHostOptions,
  type SimulatedPull,
  SimulatedHost,
} from "./runtime/simulated-host.ts"
export { createSimulatedRuntime } from "./runtime/simulated-runtime.ts"
export { type KubeletAccess, type KubeletUser } from "./server/authorization.ts"
export {
  type ContainerLogOptions,
  type ContainerLogSource,
  readContainerLog,
} from "./server/container-logs.ts"
export { HttpError } from "./server/http-error.ts"
export { type Health, type HealthCheck, failedTimes, serveHealthz, taskCheck } from "./server/healthz.ts"
export {
  type KubeletServer,
  type KubeletServerDeps,
  type KubeletTls,
  type PodReference,
  startKubeletServer,
} from "./server/kubelet-server.ts"
export { type Kubelet, type KubeletOptions, type SharedParts, startKubelet } from "./kubelet.ts"
export { WatchedObjects } from "./objects/watched-objects.ts"
export { behaviourOf } from "./simulation/behaviour.ts"
export { restorePod } from "./simulation/restore.ts"
export { createNodeInformers } from "./sources/node-informers.ts"
export {
  type LinuxMachineOptions,
  type Machine,
  createLinuxMachine,
  createSimulatedMachine,
} from "./machine.ts"
