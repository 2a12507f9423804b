/** A sample: the least that is taken, and one with many fields. */
export interface Entry {
  /** When the kind demands a certain one. */
  readonly name?: string
  /** Without apiVersion, kind and metadata. */
  readonly minimal: Readonly<Record<string, unknown>>
  readonly rich?: Readonly<Record<string, unknown>>
}

/** By `apiVersion kind`. */
export type Entries = Readonly<Record<string, Entry>>
