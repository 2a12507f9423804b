/** The forms in which an object appears in lists and watches: itself, a row of a table, or its metadata alone. */
import { badRequest, type Column, goQuote, type Kind, type KubeObject } from "@knarr/apimachinery"
import type { CachedObject } from "../../registry/cached-object.ts"
import type { KindView } from "../../registry/kind-view.ts"
import type { AnswerForm } from "./negotiation.ts"

export interface ListMetadata {
  readonly resourceVersion: string
  readonly continue?: string | undefined
  readonly remainingItemCount?: number | undefined
}

export interface ItemEncoder {
  /** Tells this form from others: objects encoded under one key are equal. */
  readonly key: string
  /** What stands before the first item of a list. */
  header(metadata: ListMetadata): string
  /** What stands after the last one. */
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
): ItemEncoder {
  if (form.as === "") return objectEncoder(view)
  const apiVersion = `meta.k8s.io/${form.version}`
  if (form.as !== "Table") return metadataEncoder(view, apiVersion)
  return tableEncoder(view, apiVersion, includeOf(query), nowMs)
}

function objectEncoder(view: KindView): ItemEncoder {
  const { kind, apiVersion, schema } = view.kind
  // Items of built-in lists do not repeat their type.
  const typeLength = schema.name
    ? `{"kind":${JSON.stringify(kind)},"apiVersion":${JSON.stringify(apiVersion)},`.length
    : 0
  return {
    key: `${apiVersion}/${kind}`,
    header: (metadata) => listHeader(`${kind}List`, apiVersion, metadata),
    footer: "]}\n",
    item: (object) => view.bytes(object),
    itemOpen: typeLength === 0 ? "" : "{",
    itemFrom: typeLength,
    event: (object) => view.bytes(object),
    firstDiffers: false,
    bookmark: (metadata) => JSON.stringify({ kind, apiVersion, metadata }),
  }
}

function listHeader(kind: string, apiVersion: string, metadata: ListMetadata): string {
  return JSON.stringify({ kind, apiVersion, metadata }).slice(0, -1) + ',"items":['
}

function partial(view: KindView, apiVersion: string, object: CachedObject): Record<string, unknown> {
  return { kind: "PartialObjectMetadata", apiVersion, metadata: view.value(object).metadata }
}

function metadataEncoder(view: KindView, apiVersion: string): ItemEncoder {
  const encode = (object: CachedObject): Buffer =>
    Buffer.from(JSON.stringify(partial(view, apiVersion, object)))
  return {
    key: `${view.kind.apiVersion}/${view.kind.kind}/metadata/${apiVersion}`,
    header: (metadata) => listHeader("PartialObjectMetadataList", apiVersion, metadata),
    footer: "]}\n",
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

const nameDescription =
  "Name must be unique within a namespace. Is required when creating resources, although some resources may " +
  "allow a client to request the generation of an appropriate name automatically. Name is primarily intended for " +
  "creation idempotence and configuration definition. Cannot be updated. More info: " +
  "https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
const createdDescription =
  "CreationTimestamp is a timestamp representing the server time when this object was created. It is not " +
  "guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is " +
  "represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: " +
  "https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"

interface Cells {
  readonly definitions: string
  cells(obj: Readonly<KubeObject>, nowMs: number): unknown[]
}

const columnsOf = new WeakMap<Kind, Cells>()

function cellsOf(kind: Kind): Cells {
  let known = columnsOf.get(kind)
  if (!known) columnsOf.set(kind, (known = makeCells(kind)))
  return known
}

const createdAt: Column<KubeObject> = {
  name: "Created At",
  type: "date",
  description: createdDescription,
  read: (obj) => obj.metadata.creationTimestamp,
}

function makeCells(kind: Kind): Cells {
  const columns: readonly Column<KubeObject>[] = kind.columns.length > 0 ? kind.columns : [createdAt]
  // Events have their name at the end.
  const named = columns.some(({ name }) => name === "Name")
  const nameColumn = {
    name: "Name",
    type: "string",
    format: "name",
    description: nameDescription,
    priority: 0,
  }
  const definitions = [
    ...(named ? [] : [nameColumn]),
    ...columns.map(({ name, type, format, description, priority }) => ({
      name,
      type,
      format: format ?? "",
      description: description ?? "",
      priority: priority ?? 0,
    })),
  ]
  return {
    definitions: JSON.stringify(definitions),
    cells(obj, nowMs) {
      const out: unknown[] = named ? [] : [obj.metadata.name]
      for (const column of columns) out.push(column.read(obj as KubeObject, nowMs))
      return out
    },
  }
}

function tableEncoder(
  view: KindView,
  apiVersion: string,
  include: Include,
  nowMs: () => number,
): ItemEncoder {
  const { definitions, cells } = cellsOf(view.kind)
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
  const table = (metadata: unknown, columns: string, rows: string): string =>
    `{"kind":"Table","apiVersion":"${apiVersion}","metadata":${JSON.stringify(metadata)},` +
    `"columnDefinitions":${columns},"rows":[${rows}]}`
  return {
    key: `${view.kind.apiVersion}/${view.kind.kind}/table/${apiVersion}/${include}`,
    header: (metadata) =>
      `{"kind":"Table","apiVersion":"${apiVersion}","metadata":${JSON.stringify(metadata)},` +
      `"columnDefinitions":${definitions},"rows":[`,
    footer: "]}\n",
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
