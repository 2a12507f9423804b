export * from "./store.ts"
export { type MemoryStoreOptions, createMemoryStore } from "./memory/memory-store.ts"
export {
  type EmbeddedStore,
  type EmbeddedStoreOptions,
  openEmbeddedStore,
} from "./embedded/embedded-store.ts"
export { dataFile as storeDataFile } from "./embedded/data-file.ts"
export { StoreInUseError } from "./embedded/directory-lock.ts"
export { DamagedSnapshotError, restoreSnapshot, saveSnapshot } from "./snapshot.ts"
export { type EtcdStoreOptions, openEtcdStore } from "./etcd/etcd-store.ts"
export type { EtcdTls } from "./etcd/etcd-client.ts"
export { isEtcdSnapshot, readEtcdSnapshot, saveEtcdSnapshot } from "./etcd/etcd-snapshot.ts"
