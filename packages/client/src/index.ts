export type {
  CallOptions,
  Client,
  DeleteOptions,
  GetOptions,
  ListOptions,
  ObjectList,
  PatchOptions,
  PatchType,
  Ref,
  SubresourceOptions,
  UpdateOptions,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from "./client.ts"
export {
  type IndexFunction,
  type Informer,
  type InformerFactory,
  type InformerHandler,
  type InformerLease,
  type InformerSelection,
  type Lister,
  ownerIndex,
} from "./informer.ts"
export type { EventRecorder, EventSubject } from "./event-recorder.ts"
export {
  ConfigFileError,
  type ConfigType,
  type ReadConfig,
  decodeConfig,
  parseConfig,
  parseStrictConfig,
  readConfigText,
  usingConfigFile,
} from "./config-file.ts"
export { collectionPath, groupVersionPath, objectPath, queryText } from "./paths.ts"
export { ConnectionError, type Transport, type TransportOptions, createTransport } from "./transport.ts"
export type { HttpRequest, HttpResponse } from "./http-exchange.ts"
export { type TlsOptions } from "./tls-options.ts"
export { renewed } from "./renewed.ts"
export { type RestClientOptions, createRestClient, lines, statusErrorOf } from "./rest-client.ts"
export { type WorkQueue, createWorkQueue } from "./work-queue.ts"
export {
  type ServedResource,
  type ServedVersion,
  aggregatedDiscovery,
  groupVersion,
  readDiscovery,
} from "./discovery.ts"
export {
  type ServedKinds,
  type ServedKindsHandler,
  type ServedKindsOptions,
  createServedKinds,
} from "./served-kinds.ts"
export { listPages } from "./list-pages.ts"
export { type ReflectorTarget, runReflector } from "./reflector.ts"
export { type InformerFactoryOptions, SharedInformer, createInformerFactory } from "./shared-informer.ts"
export { type EventRecorderOptions, createEventRecorder, partOf } from "./event-broadcaster.ts"
export { type LeaderElectionOptions, runWhileLeader } from "./leader-election.ts"
export {
  type Kubeconfig,
  type KubeconfigCluster,
  type KubeconfigContext,
  type KubeconfigUser,
  type ResolvedContext,
  defaultKubeconfigFiles,
  emptyKubeconfig,
  loadKubeconfig,
  parseKubeconfig,
  readKubeconfig,
  resolveContext,
} from "./kubeconfig.ts"
export { SpdyClient, type SpdyHandler } from "./spdy-client.ts"
