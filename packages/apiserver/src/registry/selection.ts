/** What a list or a watch asks for: a namespace and selectors, resolved for one kind. */
import {
  badRequest,
  everyField,
  everything,
  type FieldSelector,
  type Kind,
  parseFieldSelector,
  parseSelector,
  type Selector,
} from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import type { CachedObject } from "./cached-object.ts"

export interface Selection {
  /** "" for all. */
  readonly namespace: string
  readonly labels: Selector
  readonly fields: FieldSelector
  /** At most one object can match: it is asked for by its name. */
  readonly one: boolean
  /** Neither selector asks anything. */
  readonly all: boolean
  /** Whether the selectors (not the namespace) match. */
  matches(object: CachedObject): boolean
}

/** Reads a field of a cached object for a kind; for a kind that is stored as another one from its converted value. */
export type FieldReader = (object: CachedObject, field: string) => string

/** Resolves the texts. Throws a 400 StatusError in upstream's words. */
export function selectionOf(
  kind: Kind,
  readField: FieldReader,
  options: {
    readonly namespace?: string | undefined
    readonly labelSelector?: string | undefined
    readonly fieldSelector?: string | undefined
  },
): Selection {
  const labels = options.labelSelector ? parseLabels(options.labelSelector) : everything
  const fields = options.fieldSelector ? parseFields(kind, options.fieldSelector) : everyField
  const all = labels.empty && fields.empty
  return {
    namespace: kind.namespaced ? (options.namespace ?? "") : "",
    labels,
    fields,
    one: fields.requirements.some(({ field, operator }) => field === "metadata.name" && operator !== "!="),
    all,
    matches: all
      ? () => true
      : (object) =>
          (labels.empty || labels.matches(object.labels)) &&
          (fields.empty || fields.matches((field) => readField(object, field))),
  }
}

function parseLabels(text: string): Selector {
  try {
    return parseSelector(text)
  } catch (thrown) {
    throw badRequest(messageOf(thrown))
  }
}

function parseFields(kind: Kind, text: string): FieldSelector {
  let selector: FieldSelector
  try {
    selector = parseFieldSelector(text)
  } catch (thrown) {
    throw badRequest(messageOf(thrown))
  }
  for (const { field } of selector.requirements) {
    if (field === "metadata.name" || (field === "metadata.namespace" && kind.selectsNamespace)) continue
    if (Object.hasOwn(kind.selectableFields, field)) continue
    throw badRequest(kind.refuseField(field))
  }
  return selector
}
