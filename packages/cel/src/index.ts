export {
  CelEnvironment,
  CompiledExpression,
  PlanProblem,
  type EnvironmentOptions,
  type Variable,
} from "./environment.ts"
export { CelIssues, type CelIssue, type Location } from "./syntax/source.ts"
export { Program, type EvaluateOptions, type Evaluation } from "./run/program.ts"
export {
  ArrayList,
  CelError,
  CelList,
  CelMap,
  Double,
  Duration,
  EntriesMap,
  ObjectValue,
  Optional,
  Timestamp,
  Uint,
  equal,
  none,
  type Value,
} from "./run/values.ts"
export {
  CelType,
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  intType,
  listOf,
  mapOf,
  nullType,
  optionalOf,
  stringType,
  structOf,
  timestampType,
  uintType,
} from "./check/types.ts"
export type { Overload, StructType } from "./check/scope.ts"
export { overload } from "./check/declarations.ts"
export { declTypeOf, type DeclType } from "./schema/decl-type.ts"
export { sizesOf } from "./schema/sizes.ts"
export { lenientDuration } from "./schema/lenient-time.ts"
export { plainValue, schemaValue } from "./schema/values.ts"
export type { CelSchema } from "./schema/schema.ts"
export { escapeName, unescapeName } from "./schema/escape.ts"
export { type SizeOf } from "./cost/shapes.ts"
export { type Range } from "./cost/sizes.ts"
export {
  PendingDecision,
  authorizerType,
  authorizerValue,
  requestResourceValue,
  resourceCheckType,
  type Ask,
  type AuthorizationAnswer,
  type AuthorizationQuestion,
} from "./libraries/authorizer.ts"
export { jsonPatchFunctions } from "./libraries/jsonpatch.ts"
export { celSchemaOf } from "./schema/built-in.ts"
export {
  AdmissionCompiler,
  type AdmissionCompilerOptions,
  type AdmissionExpression,
  type AdmissionExpressionOptions,
} from "./admission/compiler.ts"
export {
  Activation,
  OutOfBudget,
  type AdmissionEvaluation,
  type AdmissionValues,
} from "./admission/activation.ts"
export { selectorProblem, type SelectorProblem } from "./devices/selector.ts"
export { MadeObject, MadeOperation, jsonPatchType, objectType } from "./admission/mutation-types.ts"
export { NotJSON, jsonValue } from "./admission/json-value.ts"
