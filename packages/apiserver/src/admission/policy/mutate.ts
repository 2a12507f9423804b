/**
 * What a mutation makes of an object. Mirrors: apiserver pkg/admission/plugin/policy/mutating/patch/{json_patch,smd}.go
 */
import {
  applyJSONPatch,
  atomicPaths,
  internalError,
  type Kind,
  type KubeObject,
  mergeTyped,
  PatchError,
  problemsText,
  validateTyped,
} from "@knarr/apimachinery"
import { CelList, jsonValue, MadeObject, MadeOperation, NotJSON, type Value } from "@knarr/cel"
import { messageOf } from "@knarr/base"
import type { AdmissionDeps } from "../../contract.ts"

/** The object after a patch that an expression evaluated to. Throws what the policy's failure policy decides on, or a StatusError. */
export function mutated(
  patchType: "ApplyConfiguration" | "JSONPatch",
  value: Value,
  kind: Kind,
  object: Readonly<KubeObject>,
  deps: Pick<AdmissionDeps, "decode">,
): Readonly<KubeObject> {
  return patchType === "JSONPatch"
    ? patchedBy(value, kind, object, deps)
    : appliedTo(value, kind, object, deps)
}

function patchedBy(
  value: Value,
  kind: Kind,
  object: Readonly<KubeObject>,
  deps: Pick<AdmissionDeps, "decode">,
): Readonly<KubeObject> {
  const operations = operationsOf(value)
  let document: unknown
  try {
    document = applyJSONPatch(object, operations)
  } catch (thrown) {
    if (!(thrown instanceof PatchError)) throw thrown
    if (thrown.testFailed) return object
    throw new Error(`JSON Patch: ${thrown.message}`, { cause: thrown })
  }
  try {
    return deps.decode(kind, document, { strict: true })
  } catch (thrown) {
    throw internalError(messageOf(thrown))
  }
}

function operationsOf(value: Value): object[] {
  if (!(value instanceof CelList))
    throw new Error("type mismatch: JSONPatchType.expression should evaluate to array")
  return Array.from({ length: value.size }, (_, i) => {
    const made = value.get(i)
    if (!(made instanceof MadeOperation))
      throw new Error("type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch")
    const { op, path, from } = made
    if (made.value === undefined) return { op, path, ...(from ? { from } : {}) }
    if (made.value instanceof MadeObject) checkNames(made.value)
    try {
      return { op, path, ...(from ? { from } : {}), value: jsonValue(made.value) }
    } catch (thrown) {
      if (!(thrown instanceof NotJSON)) throw thrown
      throw new Error(
        `JSONPath valueExpression evaluated to a type that could not marshal to JSON: ${thrown.message}`,
        { cause: thrown },
      )
    }
  })
}

function checkNames(made: MadeObject): void {
  const mismatch = made.nameMismatch()
  if (mismatch !== "") throw new Error(`type mismatch: ${mismatch}`)
}

function appliedTo(
  value: Value,
  kind: Kind,
  object: Readonly<KubeObject>,
  deps: Pick<AdmissionDeps, "decode">,
): KubeObject {
  if (!(value instanceof MadeObject))
    throw new Error("unsupported return type from ApplyConfiguration expression")
  checkNames(value)
  const patch = { ...(jsonValue(value) as object), apiVersion: object.apiVersion, kind: object.kind }
  const refuse = (why: string): never => {
    throw new Error(`error applying patch: ${why}`)
  }
  const problems = validateTyped(kind.schema, patch)
  if (problems.length > 0) refuse(`failed to convert patch object to typed object: ${problemsText(problems)}`)
  const atomics = atomicPaths(kind.schema, patch)
  if (atomics.length > 0)
    refuse(`invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: ${atomics.join(", ")}`)
  return deps.decode(kind, mergeTyped(kind.schema, object, patch))
}
