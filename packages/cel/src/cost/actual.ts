/**
 * What a call costs when it is evaluated.
 * Mirrors: cel-go interpreter/runtimecost.go, ext/costs.go, ext/lists.go, ext/sets.go; apiserver pkg/cel/library/cost.go
 */
import { byteLength } from "@knarr/apimachinery"
import { countCodePoints } from "../syntax/source.ts"
import { CelList, CelMap, ObjectValue, Optional, type Value } from "../run/values.ts"

/** Values of the Kubernetes libraries compare at the cost of 1; named formats know the size of their expression. */
export interface CostedObject extends ObjectValue {
  readonly maxRegexSize?: number
}

export type CallCost = (args: readonly Value[], result: Value) => number

/** Code points, bytes, items or entries; 1 for all else. */
export function sizeOf(value: Value): number {
  if (typeof value === "string") return countCodePoints(value)
  if (value instanceof Uint8Array) return value.length
  if (value instanceof CelList || value instanceof CelMap) return value.size
  if (value instanceof ObjectValue) return value.size ?? 1
  return value instanceof Optional && value.value !== undefined ? sizeOf(value.value) : 1
}

/** The same for functions of libraries, to which an optional is one thing. */
const sizeInLibrary = (value: Value): number => (value instanceof Optional ? 1 : sizeOf(value))

const perCharacter = 0.1
const traversed = (value: Value, times = 1): number => Math.ceil(sizeInLibrary(value) * times * perCharacter)
const searched = (text: Value, pattern: Value): number =>
  Math.ceil((1 + sizeInLibrary(text)) * perCharacter) * Math.ceil(sizeInLibrary(pattern) * 0.25)

/** Everything in a value is looked at once. */
function wholeTraversal(value: Value): number {
  if (typeof value === "string") return Math.trunc(byteLength(value) * perCharacter)
  if (value instanceof Uint8Array) return Math.trunc(value.length * perCharacter)
  let cost = 0
  if (value instanceof CelList) for (let i = 0; i < value.size; i++) cost += wholeTraversal(value.get(i))
  else if (value instanceof CelMap)
    for (const key of value.keys()) cost += wholeTraversal(key) + wholeTraversal(value.find(key)!)
  else return 1
  return cost
}

const one: CallCost = () => 1
const firstTraversed: CallCost = ([first]) => traversed(first!)
const selector: CallCost = ([, text]) => {
  const size = sizeInLibrary(text!)
  return 10 + Math.ceil(size * perCharacter) + Math.ceil(Math.ceil(size * 0.5) * 50)
}
const wholeFirst: CallCost = ([first]) => wholeTraversal(first!)
const twice: CallCost = ([first]) => traversed(first!, 2)

const byFunction: ReadonlyMap<string, CallCost> = new Map<string, CallCost>([
  ["check", () => 350_000],
  ...words("serviceAccount path group resource subresource namespace name allowed reason error errored", one),
  ...words("fieldSelector labelSelector", selector),
  ...words("isSorted sum max min indexOf lastIndexOf includes", wholeFirst),
  ...words(
    "url lowerAscii upperAscii substring trim jsonpatch.escapeKey cidr isIP isCIDR quantity isQuantity semver isSemver ip",
    firstTraversed,
  ),
  ...words("replace split ip.isCanonical", twice),
  ["join", (_, result) => traversed(result, 2)],
  ...words("find findAll", ([text, pattern]) => searched(text!, pattern!)),
  ...words(
    "masked prefixLength family isUnspecified isLoopback isLinkLocalMulticast isLinkLocalUnicast isGlobalUnicast format.named",
    one,
  ),
  ...words(
    "sign asInteger isInteger asApproximateFloat isGreaterThan isLessThan compareTo add sub major minor patch",
    one,
  ),
  ...words("getScheme getHostname getHost getPort getEscapedPath getQuery", one),
  [
    "validate",
    ([format, text]) => {
      const size = (format as CostedObject).maxRegexSize ?? 0
      return Math.ceil((1 + sizeInLibrary(text!)) * perCharacter) * Math.ceil(size * 0.25)
    },
  ],
])

function words(names: string, cost: CallCost): [string, CallCost][] {
  return names.split(" ").map((name) => [name, cost])
}

const smaller: CallCost = ([a, b]) => Math.ceil(Math.min(sizeOf(a!), sizeOf(b!)) * perCharacter)
const second: CallCost = ([, b]) => Math.ceil(sizeOf(b!) * perCharacter)
const first: CallCost = ([a]) => Math.ceil(sizeOf(a!) * perCharacter)
const both: CallCost = ([a, b]) => Math.ceil((sizeOf(a!) + sizeOf(b!)) * perCharacter)
const matched: CallCost = ([text, pattern]) =>
  Math.ceil((1 + sizeOf(text!)) * perCharacter) * Math.ceil(sizeOf(pattern!) * 0.25)
const allocated = (size: number, factor = 1): number => Math.trunc(size * (factor < 0 ? 1 : factor)) + 11
const output: CallCost = (_, result) => allocated(sizeInLibrary(result))
const selfCompared = (value: Value): number => {
  const size = sizeInLibrary(value)
  if (size === 0 || !(value instanceof CelList)) return allocated(0)
  const item = value.get(0)
  return allocated(size * size, typeof item === "string" || item instanceof Uint8Array ? 2.1 : 2)
}
const sets =
  (factor: number): CallCost =>
  ([a, b]) =>
    1 + sizeInLibrary(a!) * sizeInLibrary(b!) * factor

const byOverload: ReadonlyMap<string, CallCost> = new Map<string, CallCost>([
  ...words("starts_with_string ends_with_string", second),
  ...words("string_to_bytes bytes_to_string strings_quote string_format", first),
  ["in_list", ([, list]) => sizeOf(list!)],
  ...words(
    "less_string greater_string less_equals_string greater_equals_string less_bytes greater_bytes less_equals_bytes greater_equals_bytes equals not_equals",
    smaller,
  ),
  ...words("add_string add_bytes", both),
  ...words("matches matches_string", matched),
  [
    "contains_string",
    ([a, b]) => Math.ceil(sizeOf(a!) * perCharacter) * Math.ceil(sizeOf(b!) * perCharacter),
  ],
])

/** These go before the functions' own. */
const trackers: ReadonlyMap<string, CallCost> = new Map<string, CallCost>([
  ...words("list_slice lists_range list_reverse", output),
  ...words("list_flatten list_flatten_int", ([list, depth]) =>
    allocated(sizeInLibrary(list!), depth === undefined ? 1 : Number(depth)),
  ),
  ["list_distinct", ([list]) => selfCompared(list!)],
  ...words("list_sets_contains_list list_sets_intersects_list", sets(1)),
  ["list_sets_equivalent_list", sets(2)],
])

/** How a call of a function, or of one of its overloads, is charged. */
export function callCost(name: string, overload: string): CallCost {
  const tracker = trackers.get(overload)
  if (tracker !== undefined) return tracker
  if (overload.startsWith("list_") && overload.endsWith("_sort")) return ([list]) => selfCompared(list!)
  if (overload.endsWith("_sortByAssociatedKeys")) return ([, keys]) => selfCompared(keys!)
  if (name === "ip" && overload === "cidr_ip") return one
  if (name === "containsIP")
    return ([network, ip]) =>
      traversed(network!, 2) + (overload === "cidr_contains_ip_string" ? traversed(ip!) : 0)
  if (name === "containsCIDR")
    return ([network, other]) =>
      traversed(network!, 2) +
      traversed(network!) +
      1 +
      (overload === "cidr_contains_cidr_string" ? traversed(other!) : 0)
  const own = byFunction.get(name)
  if (own !== undefined) return own
  const cost = byOverload.get(overload) ?? one
  if (name !== "_==_") return cost
  return (args, result) => (args[0] instanceof ObjectValue ? 1 : cost(args, result))
}
