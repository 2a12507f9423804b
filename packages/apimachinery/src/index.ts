import "./meta/schema.gen.ts"

export type * from "./meta/types.gen.ts"
export {
  type Column,
  type Kind,
  type KindSpec,
  type KubeObject,
  type StrategyContext,
  type Subresource,
  type Verb,
  allVerbs,
  defineKind,
} from "./kind.ts"
export {
  type Field,
  type Schema,
  type SchemaTable,
  type SchemaType,
  defineSchemas,
  schemaNames,
  schemaOf,
} from "./schema.ts"
export { type FieldError, type FieldErrorType } from "./field-error.ts"
