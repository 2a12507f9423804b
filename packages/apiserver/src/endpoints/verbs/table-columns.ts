/** The columns of kinds' tables, with their texts. Mirrors: pkg/printers/internalversion/printers.go */
import { columnTexts } from "@knarr/api"
import { type Column, humanDuration, type Kind, type KubeObject, parseTime } from "@knarr/apimachinery"
import type { OpenApiDocs } from "../openapi-docs.ts"

export interface Cells {
  readonly definitions: readonly object[]
  cells(obj: Readonly<KubeObject>, nowMs: number): unknown[]
}

const ofField = "doc:"
const meta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
const named: Column<KubeObject> = {
  name: "Name",
  type: "string",
  format: "name",
  description: `${ofField}${meta}.name`,
  read: (obj) => obj.metadata.name,
}
const createdAt: Column<KubeObject> = {
  name: "Created At",
  type: "date",
  description: `${ofField}${meta}.creationTimestamp`,
  read: (obj) => obj.metadata.creationTimestamp,
}

interface ScaleLike extends KubeObject {
  readonly spec?: { readonly replicas?: number }
  readonly status?: { readonly replicas?: number }
}

/** Of the scale of a built-in kind, and of one that a definition describes. */
const scaleColumns: Readonly<Record<"native" | "structural", readonly Column<ScaleLike>[]>> = {
  native: scaleColumnsOf("", "string", [
    `${ofField}io.k8s.api.autoscaling.v1.ScaleSpec.replicas`,
    `${ofField}io.k8s.api.autoscaling.v1.ScaleStatus.replicas`,
  ]),
  structural: scaleColumnsOf("name", "date", ["Number of desired replicas", "Number of actual replicas"]),
}

function scaleColumnsOf(
  nameFormat: string,
  ageType: "string" | "date",
  [desired, available]: readonly [string, string],
): Column<ScaleLike>[] {
  return [
    { ...named, format: nameFormat },
    { name: "Desired", type: "integer", description: desired, read: ({ spec }) => spec?.replicas ?? 0 },
    {
      name: "Available",
      type: "integer",
      description: available,
      read: ({ status }) => status?.replicas ?? 0,
    },
    {
      name: "Age",
      type: ageType,
      description: createdAt.description!,
      read: ({ metadata: { creationTimestamp } }, nowMs) =>
        creationTimestamp ? humanDuration(nowMs - parseTime(creationTimestamp)) : "<unknown>",
    },
  ]
}

export class TableColumns {
  readonly #docs: () => OpenApiDocs | undefined
  readonly #cells = new WeakMap<Kind, Cells>()
  #texts: ReadonlyMap<string, string> | undefined

  /** `docs`: the texts of fields, of which many columns have theirs; asked for once. Without them such columns have none. */
  constructor(docs: () => OpenApiDocs | undefined = () => undefined) {
    this.#docs = docs
  }

  of(kind: Kind): Cells {
    let known = this.#cells.get(kind)
    if (!known) this.#cells.set(kind, (known = this.#make(kind)))
    return known
  }

  #make(kind: Kind): Cells {
    const own: readonly Column<KubeObject>[] = kind.columns.length > 0 ? kind.columns : [createdAt]
    // Events have their name at the end.
    const columns = own.some(({ name }) => name === "Name") ? own : [named, ...own]
    return this.#cellsOf(columns, columnTexts[`${kind.apiVersion}/${kind.plural}`])
  }

  /** Of the scale of a kind's objects. */
  ofScale({ rules }: Kind): Cells {
    return this.#cellsOf(scaleColumns[rules === "native" ? "native" : "structural"])
  }

  #cellsOf(
    columns: readonly Column<KubeObject>[],
    texts: Readonly<Partial<Record<string, string>>> = {},
  ): Cells {
    const told = columns.filter(({ isUntold = false }) => !isUntold)
    const definitions = told.map(({ name, type, format = "", description, priority = 0 }) => ({
      name,
      type,
      format,
      description: this.#text(texts[name] ?? description ?? ""),
      priority,
    }))
    return {
      definitions,
      cells: (obj, nowMs) => columns.map((column) => column.read(obj as KubeObject, nowMs)),
    }
  }

  #text(text: string): string {
    if (!text.startsWith(ofField)) return text
    this.#texts ??= fieldTexts(this.#docs())
    return this.#texts.get(text) ?? ""
  }
}

/** OpenAPI adds these to what a type says. */
const enumValues = /\n\nPossible enum values:[\s\S]*$/

/** The texts that columns refer to, without all the others. */
function fieldTexts(docs: OpenApiDocs | undefined): ReadonlyMap<string, string> {
  const texts = new Map<string, string>()
  if (!docs) return texts
  const describe = docs.unpack()
  const wanted = [
    ...Object.values(columnTexts).flatMap((columns) => Object.values(columns ?? {})),
    named.description,
    createdAt.description,
    ...scaleColumns.native.map(({ description }) => description),
  ]
  for (const text of wanted) {
    if (!text?.startsWith(ofField)) continue
    const dot = text.lastIndexOf(".")
    const found = describe(text.slice(ofField.length, dot), text.slice(dot + 1))
    if (found !== undefined) texts.set(text, found.replace(enumValues, ""))
  }
  return texts
}
