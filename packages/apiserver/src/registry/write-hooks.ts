/** What a kind has to do around its writes beyond its strategy: allocations that live outside the object. */
import type { FieldError, KubeObject } from "@knarr/apimachinery"

/** Taken before validation, kept when the write succeeds, given back when it does not. */
export interface Allocation {
  commit(): void
  revert(): void
}

export interface WriteHooks {
  /** May change `obj`. Throws a StatusError when there is nothing to give. */
  beginCreate?(obj: KubeObject, dryRun: boolean): Allocation
  beginUpdate?(obj: KubeObject, old: Readonly<KubeObject>, dryRun: boolean): Allocation
  /** What is wrong with a new object, where that is seen in other objects; told before all else. */
  validateCreate?(obj: Readonly<KubeObject>): readonly FieldError[]
  /** The object is gone from the store. */
  afterDelete?(obj: Readonly<KubeObject>): void
}

export const nothingAllocated: Allocation = { commit() {}, revert() {} }
