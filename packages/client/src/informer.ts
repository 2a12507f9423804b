/** The contract of informers: a local, indexed, always fresh copy of one kind's objects. */
import type { Kind, KubeObject } from "@knarr/apimachinery"
import type { Ref } from "./client.ts"

export interface InformerHandler<T> {
  added?(obj: T): void
  updated?(obj: T, old: T): void
  deleted?(obj: T): void
}

/** Computes under which values an object is found. */
export type IndexFunction<T> = (obj: T) => readonly string[]

/** What reads the copy. Objects are shared and frozen. */
export interface Lister<T> {
  get(ref: Ref): T | undefined
  /** Default: of all namespaces. In no particular order. */
  list(namespace?: string): readonly T[]
  /** Objects that index `index` puts under `value`. Throws when there is no such index. */
  byIndex(index: string, value: string): readonly T[]
}

export interface Informer<T> extends Lister<T> {
  readonly kind: Kind
  /** True once the first list is in. */
  readonly synced: boolean
  /** The resourceVersion up to which the copy has everything; 0 before the first list. */
  readonly revision: number
  /** Resolves when `synced`. */
  waitForSync(signal: AbortSignal): Promise<void>
  /** Handlers run synchronously, in order of revision, after the copy has changed. Existing objects are replayed as added. */
  subscribe(handler: InformerHandler<T>): Disposable
  /** Adds an index; indexes what is there already. The same name twice is ignored. */
  addIndex(name: string, fn: IndexFunction<T>): void
}

/** The built-in indexes every informer has from the start. */
export const ownerIndex = "controllerUid"

/** Which objects of a kind an informer is of. Default: all. */
export interface InformerSelection {
  readonly namespace?: string
  readonly fieldSelector?: string
  readonly labelSelector?: string
}

/** A share in an informer; disposing it gives it back. */
export interface InformerLease<T> extends Disposable {
  readonly informer: Informer<T>
}

export interface InformerFactory {
  /**
   * The one informer for the kind (and selection), started on first use. It lists, watches, and resumes by itself, as
   * long as the factory's scope lasts.
   */
  informer<T extends KubeObject>(kind: Kind<T>, selection?: InformerSelection): Informer<T>
  /**
   * The same informer for as long as it is needed: with its last lease, unless `informer` was asked for it, too, it
   * stops and lets go of what it holds.
   */
  lease<T extends KubeObject>(kind: Kind<T>, selection?: InformerSelection): InformerLease<T>
  /** Waits until all informers asked for so far are synced. */
  waitForSync(signal: AbortSignal): Promise<void>
}
