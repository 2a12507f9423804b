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
  UpdateOptions,
  WatchEvent,
  WatchOptions,
  WriteOptions,
} from "./client.ts"
export { type IndexFunction, type Informer, type InformerFactory, type InformerHandler, type Lister, ownerIndex } from "./informer.ts"
export type { EventRecorder, EventSubject } from "./event-recorder.ts"
