/** What a kind has to do around its writes beyond its strategy: allocations that live outside the object. */
import type { FieldError, KubeObject } from "@knarr/apimachinery"

/** Taken before validation, kept when the write succeeds, given back when it does not. Neither fails. */
export interface Allocation {
  commit(): void | Promise<void>
  revert(): void | Promise<void>
}

/** A promise only where something is waited for: what is allocated is taken from other servers of the store too. */
export interface WriteHooks {
  /** May change `obj`. Throws a StatusError when there is nothing to give. */
  beginCreate?(obj: KubeObject, dryRun: boolean): Allocation | Promise<Allocation>
  beginUpdate?(obj: KubeObject, old: Readonly<KubeObject>, dryRun: boolean): Allocation | Promise<Allocation>
  /** What is wrong with a new object, where its kind cannot see that; told before all else. */
  validateCreate?(obj: Readonly<KubeObject>): readonly FieldError[]
  /** The same of what replaces `old`; not asked about subresources. */
  validateUpdate?(obj: Readonly<KubeObject>, old: Readonly<KubeObject>): readonly FieldError[]
  /** The object is gone from the store. Does not fail. */
  afterDelete?(obj: Readonly<KubeObject>): void | Promise<void>
}

export const nothingAllocated: Allocation = { commit() {}, revert() {} }
