/** What every call of the registry knows about its request. */
import type { Annotate, UserInfo } from "../contract.ts"

export interface WriteRequest {
  readonly user: UserInfo
  /** The name under which managedFields record the change. */
  readonly fieldManager: string
  readonly dryRun: boolean
  /** CreateOptions, UpdateOptions, … as sent, for admission. */
  readonly options: Readonly<Record<string, unknown>>
  /** Texts for the answer's `Warning` headers. */
  readonly warnings: string[]
  /** Ends waits; what has been sent to the store is not undone. */
  readonly signal?: AbortSignal | undefined
  /** Takes audit annotations; default: there is no audit. */
  readonly annotate?: Annotate | undefined
}

/** Names one object of a kind. `namespace` is "" for cluster-scoped kinds. */
export interface ObjectRef {
  readonly namespace: string
  readonly name: string
}

/** What a delete is asked to do, after defaulting and conversion of deprecated fields. */
export interface DeletionOptions {
  gracePeriodSeconds?: number | undefined
  orphanDependents?: boolean | undefined
  propagationPolicy?: string | undefined
  /** Upstream's way to be rid of an object that cannot be read from the store; ours can always be read. */
  ignoreStoreReadErrorWithClusterBreakingPotential?: boolean | undefined
  preconditions?: { uid?: string | undefined; resourceVersion?: string | undefined } | undefined
}
