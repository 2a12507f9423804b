/** What a selector of labels asks of one of them. Mirrors: apimachinery pkg/labels/selector.go */

export type LabelOperator = "in" | "notin" | "=" | "==" | "!=" | "gt" | "lt" | "exists" | "!"

/** What a selector asks of one label. Build it with `labelRequirement`. */
export interface LabelRequirement {
  readonly key: string
  readonly operator: LabelOperator
  /** Sorted when parsed from text. */
  readonly values: readonly string[]
}
