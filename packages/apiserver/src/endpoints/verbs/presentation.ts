/** What clients are shown of objects: the object itself, a row of a table, or its metadata alone. */
import { badRequest, goQuote, type Kind, type KubeObject, schemaOf, zeroValue } from "@knarr/apimachinery"
import type { DocumentType, Presentation } from "../../encoding/encoding.ts"
import type { CachedObject } from "../../registry/cached-object.ts"
import type { KindView } from "../../registry/kind-view.ts"
import type { AnswerForm } from "./negotiation.ts"
import type { Cells, TableColumns } from "./table-columns.ts"

/** The presentation that a form asks for. Throws 400 for an unknown `includeObject`. */
export function presentationOf(
  view: KindView,
  form: Pick<AnswerForm, "as" | "version">,
  query: URLSearchParams,
  nowMs: () => number,
  columns: TableColumns,
): Presentation {
  if (form.as === "") return objects(view)
  const apiVersion = `meta.k8s.io/${form.version}`
  if (form.as !== "Table") return metadataOnly(view, apiVersion)
  return table(view, apiVersion, includeOf(query), nowMs, columns.of(view.kind))
}

function objects(view: KindView): Presentation {
  const { kind, apiVersion, rules } = view.kind
  const native = rules === "native"
  const bytes = (object: CachedObject): Buffer => view.bytes(object)
  const listType = { apiVersion, kind: `${kind}List` }
  const zero = native ? zeroValue(view.kind.schema) : {}
  return {
    key: `${apiVersion}/${kind}`,
    lasting: true,
    type: view.kind,
    listType,
    item: bytes,
    // Items of built-in lists do not repeat their type.
    itemsHaveType: !native,
    list: (metadata) => ({
      fields: {
        kind: listType.kind,
        apiVersion,
        // Go's lists of what has no type of its own always say where they continue.
        metadata: native ? metadata : { continue: "", ...metadata },
      },
      itemsField: "items",
      noItems: [],
    }),
    one: bytes,
    event: bytes,
    firstDiffers: false,
    bookmark: (metadata) => ({ kind, apiVersion, ...zero, metadata }),
  }
}

const partialKind = "PartialObjectMetadata"
const partialSchema = schemaOf(`io.k8s.apimachinery.pkg.apis.meta.v1.${partialKind}`)

function partial(view: KindView, apiVersion: string, object: CachedObject): Record<string, unknown> {
  const { metadata } = view.value(object)
  return { kind: partialKind, apiVersion, metadata: withoutInternal(metadata, view.kind) }
}

function withoutInternal(
  metadata: KubeObject["metadata"],
  { internalAnnotations = [] }: Kind,
): KubeObject["metadata"] {
  if (!internalAnnotations.some((name) => metadata.annotations?.[name] !== undefined)) return metadata
  const kept = Object.entries(metadata.annotations!).filter(([name]) => !internalAnnotations.includes(name))
  const { annotations: _, ...rest } = metadata
  return kept.length === 0 ? rest : { ...metadata, annotations: Object.fromEntries(kept) }
}

/** The metadata alone of what is no stored object, and its type. */
export function metadataOfValue(
  { metadata }: { readonly metadata: object },
  version: string,
): { readonly content: object; readonly type: DocumentType } {
  const apiVersion = `meta.k8s.io/${version}`
  const content = { kind: partialKind, apiVersion, metadata }
  return { content, type: { apiVersion, kind: partialKind, schema: partialSchema } }
}

function metadataOnly(view: KindView, apiVersion: string): Presentation {
  const show = (object: CachedObject): object => partial(view, apiVersion, object)
  const listType = { apiVersion, kind: `${partialKind}List` }
  return {
    key: `${view.kind.apiVersion}/${view.kind.kind}/metadata/${apiVersion}`,
    lasting: true,
    type: { apiVersion, kind: partialKind, schema: partialSchema },
    listType,
    item: show,
    itemsHaveType: true,
    list: (metadata) => ({
      fields: { kind: listType.kind, apiVersion, metadata },
      itemsField: "items",
      noItems: null,
    }),
    one: show,
    event: show,
    firstDiffers: false,
    bookmark: (metadata) => ({ kind: partialKind, apiVersion, metadata }),
  }
}

/** A row of what is no stored object, and its type; `query` as for {@link presentationOf}. */
export function tableOfValue(
  value: Readonly<KubeObject>,
  version: string,
  query: URLSearchParams,
  nowMs: number,
  { definitions, cells }: Cells,
): { readonly content: object; readonly type: DocumentType } {
  const apiVersion = `meta.k8s.io/${version}`
  const type = { apiVersion, kind: "Table" }
  const include = includeOf(query)
  const { metadata } = value
  const { resourceVersion } = metadata
  const object =
    include === "None" ? null : include === "Object" ? value : { kind: partialKind, apiVersion, metadata }
  return {
    content: {
      kind: type.kind,
      apiVersion,
      metadata: resourceVersion ? { resourceVersion } : {},
      columnDefinitions: definitions,
      rows: [{ cells: cells(value, nowMs), object }],
    },
    type,
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

function table(
  view: KindView,
  apiVersion: string,
  include: Include,
  nowMs: () => number,
  { definitions, cells }: Cells,
): Presentation {
  const { group, columns } = view.kind
  const type = { apiVersion, kind: "Table" }
  const shownOf = (object: CachedObject): unknown => {
    if (include === "None") return null
    return include === "Object" ? view.value(object) : partial(view, apiVersion, object)
  }
  // A row always has an object; without one it is null.
  const row = (object: CachedObject): object => ({
    cells: cells(view.value(object), nowMs()),
    object: shownOf(object),
  })
  const fields = (metadata: unknown, shown: unknown): Record<string, unknown> => ({
    kind: type.kind,
    apiVersion,
    metadata,
    columnDefinitions: shown,
  })
  const versionOf = ({ revision }: CachedObject): object =>
    revision === 0 ? {} : { resourceVersion: String(revision) }
  return {
    key: `${view.kind.apiVersion}/${view.kind.kind}/table/${apiVersion}/${include}`,
    lasting: false,
    type,
    listType: type,
    item: row,
    itemsHaveType: true,
    list: (metadata) => ({
      fields: fields(metadata, definitions),
      itemsField: "rows",
      // The tables of kinds without columns, and of what definitions are about, are made by other code there.
      noItems: columns.length === 0 || group === "apiextensions.k8s.io" ? null : [],
    }),
    one: (object) => ({ ...fields(versionOf(object), definitions), rows: [row(object)] }),
    event: (object, first) => ({
      ...fields({ resourceVersion: String(object.revision) }, first ? definitions : null),
      rows: [row(object)],
    }),
    firstDiffers: true,
    bookmark(metadata) {
      const object = { kind: partialKind, apiVersion, metadata }
      const { resourceVersion } = metadata
      return { ...fields({ resourceVersion }, null), rows: [{ cells: [], object }] }
    },
  }
}
