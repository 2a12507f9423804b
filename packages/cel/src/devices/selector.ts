/**
 * Expressions that select devices, checked when they are written: `device` is all that they see.
 * Mirrors: dynamic-resource-allocation cel/compile.go (with consumable capacity, without attributes that are lists)
 */
import { boolType, CelType, mapOf, stringType, structOf } from "../check/types.ts"
import type { SizeOf } from "../cost/shapes.ts"
import { range } from "../cost/sizes.ts"
import { CelEnvironment, PlanProblem } from "../environment.ts"
import { quantityType } from "../libraries/kubernetes.ts"
import type { DeclType } from "../schema/decl-type.ts"
import { CelIssues } from "../syntax/source.ts"

/** What an expression may cost at most, in units of cost. */
const maxCost = 1_000_000n
const maxDomainLength = 63
const maxIdLength = 32
const maxDriverLength = 63
const maxValueLength = 64
/** Attributes and capacities of a device. */
const maxEntries = 32

const bounded = (cel: CelType, maxElements: number): DeclType => ({ cel, maxElements, minSerializedSize: 0 })
const mapType = (key: DeclType, item: DeclType): DeclType => ({
  ...bounded(mapOf(key.cel, item.cel), maxEntries),
  key,
  item,
})

const domain = bounded(stringType, maxDomainLength)
const id = bounded(stringType, maxIdLength)
/** The value of an attribute, whose type nobody knows before it is there. */
const attribute = bounded(new CelType("any", "google.protobuf.Any"), maxValueLength)
const device: DeclType = {
  ...bounded(structOf("kubernetes.DRADevice"), 0),
  fields: new Map([
    ["driver", bounded(stringType, maxDriverLength)],
    ["allowMultipleAllocations", bounded(boolType, 1)],
    ["attributes", mapType(domain, mapType(id, attribute))],
    ["capacity", mapType(domain, mapType(id, bounded(quantityType, 0)))],
  ]),
}

/** Whatever an attribute is called, its value has the same bound. */
const sizeOf: SizeOf = ([root, ...path]) => {
  let at: DeclType | undefined = root === "device" ? device : undefined
  for (const part of path) {
    if (part === "@items" || part === "@values") at = at?.item
    else if (part === "@keys") at = at?.key
    else at = at?.fields?.get(part) ?? (at?.item === attribute ? attribute : undefined)
  }
  return at && range(0, at.maxElements)
}

/** Why a selector cannot be taken. */
export interface SelectorProblem {
  readonly kind: "invalid" | "internal" | "too-complex"
  readonly detail: string
}

let environment: CelEnvironment | undefined

/** What is wrong with an expression that selects devices; undefined when nothing is. */
export function selectorProblem(text: string): SelectorProblem | undefined {
  environment ??= new CelEnvironment({
    bind: true,
    types: [device],
    variables: { device: { type: device.cel } },
  })
  const compiled = environment.compile(text)
  if (compiled instanceof CelIssues) return { kind: "invalid", detail: `compilation failed: ${compiled}` }
  const type = compiled.outputType
  if (!type.isExactly(boolType) && !type.isExactly(attribute.cel))
    return { kind: "invalid", detail: `must evaluate to bool or the unknown type, not ${type}` }
  try {
    compiled.program()
  } catch (thrown) {
    if (!(thrown instanceof PlanProblem)) throw thrown
    return { kind: "internal", detail: `program instantiation failed: ${thrown.message}` }
  }
  return compiled.estimateCost(sizeOf).max > maxCost
    ? { kind: "too-complex", detail: "too complex, exceeds cost limit" }
    : undefined
}
