/** The forms in which an object appears in lists and watches: itself, a row of a table, or its metadata alone. */
import { badRequest, goQuote } from "@knarr/apimachinery"
import type { CachedObject } from "../../registry/cached-object.ts"
import type { KindView } from "../../registry/kind-view.ts"
import type { AnswerForm } from "./negotiation.ts"
import type { Cells, TableColumns } from "./table-columns.ts"

export interface ListMetadata {
  /** Absent from what was not stored. */
  readonly resourceVersion?: string
  readonly continue?: string | undefined
  readonly remainingItemCount?: number | undefined
}

export interface ItemEncoder {
  /** What it shows. Objects have to be made ready before. */
  readonly view: KindView
  /** Tells this form from others: objects encoded under one key are equal. */
  readonly key: string
  /** What stands before the items of a list. */
  header(metadata: ListMetadata): string
  /** The items of a list that has none: Go prints a slice that nobody made as null. */
  readonly noItems: "[]" | "null"
  /** What stands after the items. */
  readonly footer: string
  /** An item of a list: these bytes from {@link itemFrom} on, after {@link itemOpen}. */
  item(object: CachedObject): Buffer
  readonly itemOpen: string
  readonly itemFrom: number
  /** The object of a watch event; `first` when the stream has had none before. */
  event(object: CachedObject, first: boolean): Buffer
  /** Whether the first event of a stream differs from the others. */
  readonly firstDiffers: boolean
  /** The object of a bookmark. */
  bookmark(metadata: Readonly<Record<string, unknown>>): string
}

/** The encoder for a form. Throws 400 for an unknown `includeObject`. */
export function itemEncoder(
  view: KindView,
  form: AnswerForm,
  query: URLSearchParams,
  nowMs: () => number,
  columns: TableColumns,
): ItemEncoder {
  if (form.as === "") return objectEncoder(view)
  const apiVersion = `meta.k8s.io/${form.version}`
  if (form.as !== "Table") return metadataEncoder(view, apiVersion)
  return tableEncoder(view, apiVersion, includeOf(query), nowMs, columns.of(view.kind))
}

function objectEncoder(view: KindView): ItemEncoder {
  const { kind, apiVersion, rules } = view.kind
  // Items of built-in lists do not repeat their type.
  const typeLength =
    rules === "native"
      ? `{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},`.length
      : 0
  return {
    view,
    key: `${apiVersion}/${kind}`,
    // Go's lists of what has no type of its own always say where they continue.
    header: (metadata) =>
      listHeader(`${kind}List`, apiVersion, rules === "native" ? metadata : { continue: "", ...metadata }),
    noItems: "[]",
    footer: "}\n",
    item: (object) => view.bytes(object),
    itemOpen: typeLength === 0 ? "" : "{",
    itemFrom: typeLength,
    event: (object) => view.bytes(object),
    firstDiffers: false,
    bookmark: (metadata) => JSON.stringify({ kind, apiVersion, metadata }),
  }
}

function listHeader(kind: string, apiVersion: string, metadata: ListMetadata): string {
  return JSON.stringify({ kind, apiVersion, metadata }).slice(0, -1) + ',"items":'
}

function partial(view: KindView, apiVersion: string, object: CachedObject): Record<string, unknown> {
  return { kind: "PartialObjectMetadata", apiVersion, metadata: view.value(object).metadata }
}

function metadataEncoder(view: KindView, apiVersion: string): ItemEncoder {
  const encode = (object: CachedObject): Buffer =>
    Buffer.from(JSON.stringify(partial(view, apiVersion, object)))
  return {
    view,
    key: `${view.kind.apiVersion}/${view.kind.kind}/metadata/${apiVersion}`,
    header: (metadata) => listHeader("PartialObjectMetadataList", apiVersion, metadata),
    noItems: "null",
    footer: "}\n",
    item: encode,
    itemOpen: "",
    itemFrom: 0,
    event: encode,
    firstDiffers: false,
    bookmark: (metadata) => JSON.stringify({ kind: "PartialObjectMetadata", apiVersion, metadata }),
  }
}

type Include = "None" | "Metadata" | "Object"

function includeOf(query: URLSearchParams): Include {
  const text = query.get("includeObject") || "Metadata"
  if (text === "None" || text === "Metadata" || text === "Object") return text
  throw badRequest(
    `Unable to convert to Table as requested: includeObject: Invalid value: ${goQuote(text)}: ` +
      "must be 'Metadata', 'Object', 'None', or empty",
  )
}

function tableEncoder(
  view: KindView,
  apiVersion: string,
  include: Include,
  nowMs: () => number,
  { definitions, cells }: Cells,
): ItemEncoder {
  const { group, rules, columns } = view.kind
  const row = (object: CachedObject): string => {
    const obj = view.value(object)
    const line = JSON.stringify(cells(obj, nowMs()))
    // A row always has an object; without one it is null.
    const shown =
      include === "None"
        ? "null"
        : include === "Object"
          ? view.bytes(object).toString()
          : JSON.stringify(partial(view, apiVersion, object))
    return `{"cells":${line},"object":${shown}}`
  }
  const table = (metadata: unknown, shown: string, rows: string): string =>
    `{"kind":"Table","apiVersion":"${apiVersion}","metadata":${JSON.stringify(metadata)},` +
    `"columnDefinitions":${shown},"rows":[${rows}]}`
  return {
    view,
    key: `${view.kind.apiVersion}/${view.kind.kind}/table/${apiVersion}/${include}`,
    header: (metadata) =>
      `{"kind":"Table","apiVersion":"${apiVersion}","metadata":${JSON.stringify(metadata)},` +
      `"columnDefinitions":${definitions},"rows":`,
    // The tables of kinds without columns, and of what definitions are about, are made by other code there.
    noItems:
      columns.length === 0 || group === "apiextensions.k8s.io" || rules === "structural" ? "null" : "[]",
    footer: "}\n",
    item: (object) => Buffer.from(row(object)),
    itemOpen: "",
    itemFrom: 0,
    event: (object, first) =>
      Buffer.from(
        table({ resourceVersion: String(object.revision) }, first ? definitions : "null", row(object)),
      ),
    firstDiffers: true,
    bookmark(metadata) {
      const { resourceVersion } = metadata
      const object = { kind: "PartialObjectMetadata", apiVersion, metadata }
      return table({ resourceVersion }, "null", `{"cells":[],"object":${JSON.stringify(object)}}`)
    },
  }
}
