/**
 * How answers become bytes: the contract of an encoding. What is shown of an object (itself, a row of a table, its
 * metadata) is a {@link Presentation} and knows no encoding; an encoding knows no kind. Both together are the form of an
 * answer, and what was encoded for one watcher is shared with all of the same form.
 * Mirrors: apimachinery pkg/runtime/interfaces.go (Serializer, Framer), apiserver pkg/endpoints/handlers/responsewriters
 */
import type { Schema } from "@knarr/apimachinery"
import type { CachedObject } from "../registry/cached-object.ts"

/** The type of a document; its shape is what an encoding without field names needs. */
export interface DocumentType {
  readonly apiVersion: string
  readonly kind: string
  readonly schema?: Schema | undefined
}

/** What a document holds: JSON as the watch cache has it, beginning with its kind and apiVersion, or a value with them. */
export type Content = Buffer | Readonly<object>

export interface ListMetadata {
  /** Absent from what was not stored. */
  readonly resourceVersion?: string
  readonly continue?: string | undefined
  readonly remainingItemCount?: number | undefined
}

/** A list, but for its items. */
export interface ListFrame {
  /** What stands before the items, in order; kind and apiVersion first. */
  readonly fields: Readonly<Record<string, unknown>>
  /** The name of the field of the items, which is the last one. */
  readonly itemsField: string
  /** The items of a list that has none: Go prints a slice that nobody made as null. */
  readonly noItems: readonly [] | null
}

/** What clients are shown of the objects of a kind. Objects have to be ready in its view. */
export interface Presentation {
  /** Tells it from others: objects shown under one key are equal. */
  readonly key: string
  /** Whether an object is shown the same at all times. A row of a table tells ages. */
  readonly lasting: boolean
  /** Of what is answered for one object, and of an event's. */
  readonly type: DocumentType
  readonly listType: DocumentType
  /** An object in a list. */
  item(object: CachedObject): Content
  /** Whether items of a list say their kind and apiVersion; if not, an encoding leaves them out. */
  readonly itemsHaveType: boolean
  list(metadata: ListMetadata): ListFrame
  /** One object alone. */
  one(object: CachedObject): Content
  /** The object of a watch event; `first` when the stream has had none before. */
  event(object: CachedObject, first: boolean): Content
  /** Whether the first event of a stream differs from the others. */
  readonly firstDiffers: boolean
  /** The object of a bookmark. */
  bookmark(metadata: Readonly<Record<string, unknown>>): Readonly<object>
}

/** One list that is written piece by piece: begin, open, item, separator, item, …, end. */
export interface ListEncoding {
  /** Whether `begin` has to know what follows: encoded items are then held until there are all of them. */
  readonly sized: boolean
  /** `items`: their number and their bytes together, separators not counted; given when {@link sized}. */
  begin(items?: { readonly count: number; readonly bytes: number }): Buffer
  /** What stands before the first item, and before each other. */
  readonly open: Buffer
  readonly separator: Buffer
  /** An item is the bytes of this from {@link itemFrom} on: what is before belongs to the object alone. */
  item(object: CachedObject): Buffer
  readonly itemFrom: number
  end(count: number): Buffer
}

export type EventType = "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR"

/** Events of a watch, each in a frame that can be told from the next. */
export interface WatchEncoding {
  /** The Content-Type of the stream. */
  readonly mediaType: string
  event(type: EventType, content: Content, of: DocumentType): Buffer
}

export interface Encoding {
  /** Tells it from others, those of the same media type too. */
  readonly name: string
  readonly mediaType: string
  /** The same for people to read; default: itself. */
  readonly pretty?: Encoding
  /** A document: an object, a Status, a Table of one row. */
  document(content: Content, of: DocumentType): Buffer
  /** Absent: a list is one document, made as a whole. */
  readonly list?: (shown: Presentation, metadata: ListMetadata) => ListEncoding
  /** Absent: nothing can be watched in it. */
  readonly watch?: WatchEncoding
}

export const statusType: DocumentType = Object.freeze({ apiVersion: "v1", kind: "Status" })

/** The type that a value itself says. */
export function typeOf(value: object): DocumentType {
  const { apiVersion = "", kind = "" } = value as Partial<DocumentType>
  return { apiVersion, kind }
}

/** A document as a value. */
export function valueOf(content: Content): Readonly<object> {
  return Buffer.isBuffer(content) ? (JSON.parse(content.toString()) as object) : content
}

/** An item of a list as a value, with its type or without. */
export function itemValueOf(shown: Presentation, object: CachedObject): Readonly<object> {
  const value = valueOf(shown.item(object))
  if (shown.itemsHaveType) return value
  const { kind: _kind, apiVersion: _apiVersion, ...rest } = value as DocumentType
  return rest
}
