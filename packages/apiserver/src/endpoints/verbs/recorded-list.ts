/** A list that is sent, as the audit record of its request holds it: JSON, whatever the client is sent. */
import type { Exchange, RequestAudit } from "../../contract.ts"
import type { ListMetadata, Presentation } from "../../encoding/encoding.ts"
import type { CachedObject } from "../../registry/cached-object.ts"

/** Undefined when the list is not recorded. */
export function recordList(
  { audit }: Exchange,
  shown: Presentation,
  metadata: ListMetadata,
): RecordedList | undefined {
  return audit?.takesResponse ? new RecordedList(audit, shown, metadata) : undefined
}

class RecordedList {
  readonly #audit: RequestAudit
  readonly #shown: Presentation
  readonly #noItems: string
  readonly #untyped: number
  #text: string | undefined
  #count = 0

  constructor(audit: RequestAudit, shown: Presentation, metadata: ListMetadata) {
    this.#audit = audit
    this.#shown = shown
    const { fields, itemsField, noItems } = shown.list(metadata)
    this.#text = `${JSON.stringify(fields).slice(0, -1)},${JSON.stringify(itemsField)}:`
    this.#noItems = JSON.stringify(noItems)
    const { kind, apiVersion } = shown.type
    this.#untyped = shown.itemsHaveType ? 0 : JSON.stringify({ kind, apiVersion }).length
  }

  add(object: CachedObject): void {
    if (this.#text === undefined) return
    const text = this.#audit.itemText(this.#shown.item(object))
    this.#text += this.#count++ === 0 ? "[" : ","
    this.#text += this.#untyped === 0 ? text : `{${text.slice(this.#untyped)}`
    if (this.#text.length <= this.#audit.maxDocument) return
    this.#text = undefined
    this.#audit.tooLong()
  }

  end(): void {
    if (this.#text === undefined) return
    this.#audit.responseText(`${this.#text}${this.#count > 0 ? "]" : this.#noItems}}`)
  }
}
