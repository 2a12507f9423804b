/**
 * The contract of what answers requests about objects: a resource, or a subresource of one. Requests over HTTP and those
 * of the loopback client come here decoded, and go from here as a stored object or a value: only how they are read,
 * authorised and encoded differs. Mirrors: apiserver pkg/registry/rest/rest.go
 */
import type { KubeObject } from "@knarr/apimachinery"
import type { RequestContext } from "../../contract.ts"
import type { ServerExchange } from "../../server/exchange.ts"
import type { CachedObject } from "../cached-object.ts"
import type { Patch } from "../patch.ts"
import type { ObjectRef, WriteRequest } from "../request.ts"
import type { ResourceStorage } from "../storage.ts"

/** Finds the storages of other kinds that are served. */
export interface Storages {
  find(group: string, version: string, plural: string): ResourceStorage | undefined
}

/** Which object a request is about. */
export interface Target {
  readonly storage: ResourceStorage
  /** Without a name when one is to be created. */
  readonly ref: ObjectRef
  readonly storages: Storages
}

export interface ReadOptions {
  /** As in GetOptions; default "": the present state. */
  readonly resourceVersion?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** What a verb answers: a stored object, in the version of the target's storage, or a value of another kind. */
export type Answer =
  | { readonly code: number; readonly object: CachedObject; readonly value?: undefined }
  | { readonly code: number; readonly object?: undefined; readonly value: object }

/**
 * Answers for one resource or subresource; a frozen value. It has the verbs that the kind declares for it. Each
 * rejects with a StatusError to refuse. `T` is what it takes: the kind itself, or what the kind's declaration names.
 */
export interface Handler<T extends KubeObject = any> {
  /** `<plural>` or `<plural>.<group>`; default: any resource that declares a subresource of this name. */
  readonly resource?: string | undefined
  /** Of the subresource; "" for the resource itself. */
  readonly name: string
  /** What it answers has neither columns nor metadata of its own: clients that ask for them are refused. */
  readonly plain?: boolean
  /** Answers at once where nothing is to be waited for. */
  get?(target: Target, options: ReadOptions): Answer | Promise<Answer>
  /** `body` is decoded, without defaults, and belongs to the handler; so it is with `update`. */
  create?(target: Target, body: T, request: WriteRequest): Promise<Answer>
  update?(target: Target, body: T, request: WriteRequest): Promise<Answer>
  patch?(target: Target, patch: Patch, request: WriteRequest): Promise<Answer>
  /** Takes over whole requests, of any verb that the kind declares: streams, proxies and upgrades of HTTP alone. */
  connect?(exchange: ServerExchange, ctx: RequestContext): void | Promise<void>
}

/** Declares a handler. Does nothing else: a registry asks those that it is given. */
export function defineHandler<T extends KubeObject>(handler: Handler<T>): Handler<T> {
  return Object.freeze(handler)
}
