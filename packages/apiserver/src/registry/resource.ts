/**
 * What is stored under one prefix: the versions in which its objects can be had, the one in which they are stored, the form
 * they are stored in, what converts between the versions, and the one watch cache that all versions share.
 */
import type { Kind } from "@knarr/apimachinery"
import type { DecodedValues } from "./decoded-values.ts"
import { type Converter, kindConverter } from "./converter.ts"
import type { EventRingLimits } from "./event-ring.ts"
import { type StorageFormat, StoredForm } from "./stored-form.ts"
import { type OnUnreadable, type SharedMemory, WatchCache } from "./watch-cache.ts"

/** A resource as it is declared to the registry. */
export interface ResourceSpec {
  /** The versions that are served. */
  readonly versions: readonly Kind[]
  /** The version in which objects are stored, whether it is served or not. */
  readonly stored: Kind
  /** Versions that are not served any more, in which objects may be stored. */
  readonly former?: readonly Kind[]
  /** Default: what the kinds declare themselves. */
  readonly converter?: Converter
}

export interface ResourceDeps {
  readonly format?: StorageFormat
  readonly decoded: DecodedValues
  readonly history: EventRingLimits
  readonly shared: SharedMemory
  readonly onUnreadable: OnUnreadable
  /** Ends when the registry does. */
  readonly signal: AbortSignal
}

export class Resource {
  /** The version in which objects are stored. */
  readonly stored: Kind
  readonly converter: Converter
  readonly form: StoredForm
  readonly cache: WatchCache
  readonly signal: AbortSignal
  /** The versions that are served. */
  readonly served = new Set<Kind>()
  /** All in which there may be objects in the store. */
  readonly #known: Set<Kind>

  constructor(spec: ResourceSpec, deps: ResourceDeps) {
    this.stored = spec.stored
    this.signal = deps.signal
    this.#known = new Set([spec.stored, ...spec.versions, ...(spec.former ?? [])])
    const versions = (): Iterable<Kind> => this.#known
    this.converter = spec.converter ?? kindConverter(spec.stored, versions)
    this.form = new StoredForm({
      kind: spec.stored,
      versions,
      converter: this.converter,
      decoded: deps.decoded,
      format: deps.format,
    })
    this.cache = new WatchCache(this.form, deps.history, deps.shared, deps.onUnreadable)
  }

  /** Serves one more version. */
  serve(version: Kind): void {
    this.served.add(version)
    this.#known.add(version)
  }
}
