/** What happens between the items of a list: conversion, and the turns of other requests. */
import { setImmediate } from "node:timers/promises"
import type { Exchange } from "../../contract.ts"
import type { CachedObject } from "../../registry/cached-object.ts"
import { conversionBatch } from "../../registry/converter.ts"
import type { KindView } from "../../registry/kind-view.ts"
import { allReady, type ListResult } from "../../registry/list.ts"

/** Objects examined in one turn, when few of them match. */
const sliceObjects = 5000

export class Turns {
  readonly #exchange: Exchange
  readonly #view: KindView
  readonly #result: ListResult
  #examined = 0

  constructor(exchange: Exchange, view: KindView, result: ListResult) {
    this.#exchange = exchange
    this.#view = view
    this.#result = result
  }

  /** What has to be waited for before the item at `at`. Rejects when the request is over, or the conversion fails. */
  before(at: number): Promise<void> | undefined {
    const yields = ++this.#examined >= sliceObjects
    const converts = this.#view.waits && at % conversionBatch === 0
    return yields || converts ? this.#wait(at, yields, converts) : undefined
  }

  /** Others have their turn before the next item. */
  end(): void {
    this.#examined = sliceObjects
  }

  /** Others have had their turn. */
  taken(): void {
    this.#examined = 0
  }

  wants(object: CachedObject): boolean {
    return this.#result.filtered || this.#result.selection.matches(object)
  }

  async #wait(at: number, yields: boolean, converts: boolean): Promise<void> {
    const { signal } = this.#exchange
    if (yields) {
      this.taken()
      await setImmediate()
      signal.throwIfAborted()
    }
    if (converts) await allReady(this.#view, this.#result.items.slice(at, at + conversionBatch), signal)
  }
}
