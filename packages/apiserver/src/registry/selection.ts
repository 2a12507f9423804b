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
  /** Fields are asked for that only converted objects have, and conversion waits: see {@link ready}. */
  readonly waits: boolean
  /** Where the selection waits: resolves when {@link matches} can be asked for `objects`; undefined when it can be at once. */
  ready(objects: readonly CachedObject[]): Promise<void> | undefined
}

/** What a selection asks of the version it is for (KindView). */
export interface FieldReader {
  readonly waits: boolean
  ready(objects: readonly CachedObject[]): Promise<void> | undefined
  readField(object: CachedObject, field: string): string
}

/** What a selection can ask before objects are converted: at least everything that it selects. */
export function withoutFields(selection: Selection): Selection {
  const { namespace, labels } = selection
  return {
    namespace,
    labels,
    fields: everyField,
    one: false,
    all: labels.empty,
    matches: labels.empty ? () => true : (object) => labels.matches(object.labels),
    waits: false,
    ready: () => undefined,
  }
}

/** Resolves the texts. Throws a 400 StatusError in upstream's words. */
export function selectionOf(
  kind: Kind,
  view: FieldReader,
  options: {
    readonly namespace?: string | undefined
    readonly labelSelector?: string | undefined
    readonly fieldSelector?: string | undefined
  },
): Selection {
  const labels = options.labelSelector ? parseLabels(options.labelSelector) : everything
  const fields = options.fieldSelector ? parseFields(kind, options.fieldSelector) : everyField
  const all = labels.empty && fields.empty
  const waits = view.waits && fields.requirements.some(({ field }) => !ofEveryKind.has(field))
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
          (fields.empty || fields.matches((field) => view.readField(object, field))),
    waits,
    ready: (objects) => (waits ? view.ready(objects) : undefined),
  }
}

/** Fields that objects have in every version. */
const ofEveryKind: ReadonlySet<string> = new Set(["metadata.name", "metadata.namespace"])

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
