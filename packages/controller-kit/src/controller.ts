/** The contract of a controller: one file that exports a frozen descriptor; importing it does nothing. */
import type { PolicyRuleLike } from "@knarr/api"
import type { Kind, KubeObject } from "@knarr/apimachinery"
import type { Env } from "@knarr/base"
import type {
  Client,
  EventRecorder,
  Informer,
  InformerLease,
  InformerSelection,
  Lister,
  Ref,
  ServedKinds,
} from "@knarr/client"

export type { Ref }

/** What `reconcile` may use. Everything in `cache` is shared and frozen. */
export interface ReconcileContext extends Env {
  /** Acts as the controller's own service account. */
  readonly client: Client
  readonly cache: Cache
  readonly recorder: EventRecorder
  /** What the API serves, for controllers that work on all kinds. */
  readonly served: ServedKinds
  readonly signal: AbortSignal
}

/** Reads the informers' copies of the kinds that the controller declared. */
export interface Cache {
  get<T extends KubeObject>(kind: Kind<T>, ref: Ref): T | undefined
  list<T extends KubeObject>(
    kind: Kind<T>,
    options?: {
      readonly namespace?: string | undefined
      readonly ownedBy?: KubeObject
      readonly labels?: Readonly<Record<string, string>>
    },
  ): readonly T[]
  byIndex<T extends KubeObject>(kind: Kind<T>, index: string, value: string): readonly T[]
  lister<T extends KubeObject>(kind: Kind<T>): Lister<T>
}

/** Nothing: done until something changes. `afterMs`: come again then. A throw: come again with back-off. */
export type ReconcileResult = void | { readonly afterMs: number }

/** A kind beside the main one whose changes wake the controller. */
export interface WatchSpec<T extends KubeObject = any> {
  readonly kind: Kind<T>
  /** The keys (of the main kind) to look at again. Called with the new and, on updates, also with the old object. */
  readonly map: (obj: T, cache: Cache) => readonly Ref[]
}

export interface ControllerSpec<T extends KubeObject = any> {
  /** Upstream's name, for example `replicaset-controller`. */
  readonly name: string
  readonly aliases?: readonly string[]
  /** Upstream's name of its queue, as metrics tell it. Default: `name` without `-controller`. */
  readonly queueName?: string
  /** In kube-system; upstream's differ from the name now and then. */
  readonly serviceAccount: string
  /** What the service account may do: becomes the role `system:controller:<serviceAccount>`; merged with the published bootstrap role of that name when there is one. */
  readonly rbac: readonly PolicyRuleLike[]
  /** The main kind: each of its objects is a key. Absent: there are no keys, and `run` does all the work. */
  readonly for?: Kind<T>
  /** Whether a change of an object of the main kind wakes the controller; its own writes of status often should not. Default: each does. */
  wakes?(obj: T, old: T): boolean
  /** Kinds whose objects name an object of the main kind as their controller. */
  readonly owns?: readonly Kind[]
  readonly watches?: readonly WatchSpec[]
  /** Kinds that are only read. */
  readonly reads?: readonly Kind[]
  readonly indexes?: readonly {
    readonly kind: Kind
    readonly name: string
    readonly fn: (obj: any) => readonly string[]
  }[]
  /** Keys reconciled at the same time; one key never by two. Default 5. */
  readonly workers?: number
  /** Required with `for`. */
  reconcile?(ref: Ref, ctx: ReconcileContext): Promise<ReconcileResult>
  /** Background work beside reconcile (a monitor loop, a sweep). Must end when the signal is aborted. */
  run?(
    ctx: ReconcileContext & {
      readonly informer: <K extends KubeObject>(kind: Kind<K>) => Informer<K>
      /** The informer of any kind, or of some of its objects, for as long as the controller needs it. */
      readonly lease: <K extends KubeObject>(kind: Kind<K>, selection?: InformerSelection) => InformerLease<K>
      readonly enqueue: (ref: Ref, afterMs?: number) => void
    },
  ): Promise<void>
}

export type Controller = Readonly<ControllerSpec>

/** Declares a controller. */
export function defineController<T extends KubeObject>(spec: ControllerSpec<T>): Controller {
  return Object.freeze(spec)
}
