/**
 * The typed client that every component talks to the API with. Two implementations: `createRestClient`
 * (HTTPS, see rest-client.ts) and the API server's loopback client, which hands over frozen objects without
 * encoding. No component can tell which one it has.
 */
import type { Creatable } from "@knarr/api"
import type { Kind, KubeObject, ListMeta, Status } from "@knarr/apimachinery"
import type { ServedVersion } from "./discovery.ts"

/** Names one object. `namespace` is undefined for cluster-scoped kinds. */
export interface Ref {
  readonly namespace?: string | undefined
  readonly name: string
}

export interface CallOptions {
  /** Stops waiting; the call rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

export interface GetOptions extends CallOptions {
  readonly resourceVersion?: string | undefined
}

export interface SubresourceOptions extends GetOptions {
  /** Further parameters, for what another server answers. */
  readonly query?: Readonly<Record<string, string>> | undefined
}

export interface ListOptions extends CallOptions {
  /** Default: all namespaces. */
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
  readonly limit?: number | undefined
  readonly continue?: string | undefined
  readonly resourceVersion?: string | undefined
  readonly resourceVersionMatch?: "NotOlderThan" | "Exact" | undefined
}

export interface WriteOptions extends CallOptions {
  /** Default: the client's own field manager. */
  readonly fieldManager?: string | undefined
  readonly dryRun?: boolean | undefined
  readonly fieldValidation?: "Strict" | "Warn" | "Ignore" | undefined
}

export interface UpdateOptions extends WriteOptions {
  /** For example `status`, `scale`. */
  readonly subresource?: string | undefined
}

export type PatchType = "json" | "merge" | "strategic" | "apply"

export interface PatchOptions extends UpdateOptions {
  /** Only for apply: take over fields that others own. */
  readonly force?: boolean | undefined
}

export interface DeleteOptions extends CallOptions {
  readonly gracePeriodSeconds?: number | undefined
  readonly propagationPolicy?: "Orphan" | "Background" | "Foreground" | undefined
  readonly preconditions?:
    | { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined }
    | undefined
  readonly dryRun?: boolean | undefined
}

export interface WatchOptions {
  readonly signal: AbortSignal
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
  /** Events after this one. Default: first the present objects as ADDED, then what happens. */
  readonly resourceVersion?: string | undefined
  readonly allowWatchBookmarks?: boolean | undefined
  /** With `resourceVersionMatch=NotOlderThan`: begin with the present objects and a bookmark that ends them. */
  readonly sendInitialEvents?: boolean | undefined
  readonly timeoutSeconds?: number | undefined
}

export type WatchEvent<T> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK"; readonly object: T }
  | { readonly type: "ERROR"; readonly object: Status }

export interface ObjectList<T> {
  readonly metadata: ListMeta
  readonly items: readonly T[]
}

/**
 * Calls reject with a `StatusError` (apimachinery) when the server says no. Objects that come back are
 * shared and frozen: clone before changing one.
 */
export interface Client {
  get<T extends KubeObject>(kind: Kind<T>, ref: Ref, options?: GetOptions): Promise<T>
  list<T extends KubeObject>(kind: Kind<T>, options?: ListOptions): Promise<ObjectList<T>>
  /** Ends without an error when the server closes it; throws `signal.reason` when stopped. */
  watch<T extends KubeObject>(kind: Kind<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>>
  create<T extends KubeObject>(kind: Kind<T>, obj: Creatable<T>, options?: WriteOptions): Promise<T>
  update<T extends KubeObject>(kind: Kind<T>, obj: T, options?: UpdateOptions): Promise<T>
  /** `body` is an operations list for "json", a partial object otherwise. */
  patch<T extends KubeObject>(
    kind: Kind<T>,
    ref: Ref,
    type: PatchType,
    body: unknown,
    options?: PatchOptions,
  ): Promise<T>
  /** Answers the object when it is still there (finalizers, grace), else a Status. */
  delete<T extends KubeObject>(kind: Kind<T>, ref: Ref, options?: DeleteOptions): Promise<T | Status>
  deleteCollection<T extends KubeObject>(
    kind: Kind<T>,
    list: ListOptions,
    options?: DeleteOptions,
  ): Promise<void>
  /** POST to a subresource that takes an object of its own: `binding`, `eviction`, `token`. */
  createSubresource<R>(
    kind: Kind,
    ref: Ref,
    subresource: string,
    body: unknown,
    options?: WriteOptions,
  ): Promise<R>
  /** GET of a subresource that answers an object of its own: `scale`. */
  getSubresource<R>(kind: Kind, ref: Ref, subresource: string, options?: SubresourceOptions): Promise<R>
  /** What the server serves. */
  discover(options?: CallOptions): Promise<readonly ServedVersion[]>
  /** A client that acts as another user: a controller's service account. */
  as(user: {
    readonly name: string
    readonly groups?: readonly string[]
    readonly userAgent?: string
  }): Client
}
