/**
 * What calls of functions can cost.
 * Mirrors: cel-go checker/cost.go (functionCost), ext/lists.go, ext/sets.go; apiserver pkg/cel/library/cost.go
 */
import { intLiteral, type Estimated, type SizeOf } from "./shapes.ts"
import { anything, nothing, one, plus, range, scale, scaled, times, unlimited, type Range } from "./sizes.ts"

export interface CallEstimate {
  readonly cost: Range
  /** Of the result, when known. */
  readonly size: Range | undefined
}

interface CallShape {
  readonly name: string
  readonly overload: string
  readonly target: Estimated | undefined
  readonly args: readonly Estimated[]
  readonly sizeOf: SizeOf
}

type Estimate = (call: CallShape) => CallEstimate | undefined

const result = (cost: Range, size?: Range): CallEstimate => ({ cost, size })
const unit: Estimate = () => result(one)
const sizeIn = ({ sizeOf }: CallShape, node: Estimated): Range => node.size ?? sizeOf(node.path) ?? anything
const orAnything = (node: Estimated): Range => node.size ?? anything

function itemOf(list: Estimated): Estimated | undefined {
  const type = list.type.params[0]
  return type && { type, path: list.path.length === 0 ? [] : [...list.path, "@items"], size: undefined }
}

const firstArg =
  (factor = 0.1, sized = false): Estimate =>
  (call) => {
    if (call.args.length === 0) return undefined
    const size = sizeIn(call, call.args[0]!)
    return result(scale(size, factor), sized ? size : undefined)
  }

const onTarget =
  (estimate: (call: CallShape, size: Range, target: Estimated) => CallEstimate | undefined): Estimate =>
  (call) =>
    call.target === undefined ? undefined : estimate(call, sizeIn(call, call.target), call.target)

const sameSize = onTarget((_, size) => result(scale(size, 0.1), size))

const wholeList = onTarget((call, size, target) => {
  const item = itemOf(target)
  if (item === undefined) return result(call.name === "includes" ? times(size, one) : scale(size, 0.1))
  const text = item.type.kind === "string" || item.type.kind === "bytes"
  return result(times(size, text ? plus(one, scale(sizeIn(call, item), 0.1)) : one))
})

const replace = onTarget((call, size) => {
  if (call.args.length < 2) return undefined
  const old = sizeIn(call, call.args[0]!)
  const by = sizeIn(call, call.args[1]!)
  const more = (value: bigint): bigint => (value < unlimited ? value + 1n : value)
  const divided = (a: bigint, b: bigint): bigint => scaled(1n, Number(a) / Number(b))
  let count = { min: 0n, max: 0n }
  let kept = { min: 0n, max: 0n }
  if (old.min === 0n) {
    count = { ...count, max: more(size.max) }
    kept = { ...kept, max: size.max }
  } else if (by.max <= old.min) kept = { ...kept, max: size.max }
  else count = { ...count, max: divided(size.max, old.min) }
  if (old.max === 0n) {
    count = { ...count, min: more(size.min) }
    kept = { ...kept, min: size.min }
  } else if (old.max <= by.min) kept = { ...kept, min: size.min }
  else count = { ...count, min: divided(size.min, old.max) }
  return result(scale(size, 0.2), plus(times(count, by), kept))
})

const split = onTarget(({ args }, size) => {
  const limit = intLiteral(args[1]?.expr)
  return result(scale(size, 0.2), range(0n, limit === undefined ? size.max : BigInt.asUintN(64, limit)))
})

const join = onTarget((call, count, target) => {
  const item = itemOf(target)
  let size: Range = item === undefined ? nothing : times(count, sizeIn(call, item))
  if (call.args.length > 0) {
    const less = (value: bigint): bigint => (value > 0n ? value - 1n : 0n)
    size = plus(size, times(sizeIn(call, call.args[0]!), { min: less(count.min), max: less(count.max) }))
  }
  return result(scale(size, 0.1), size)
})

const find = onTarget((call, size) => {
  if (call.args.length === 0) return undefined
  return result(
    times(scale(plus(size, one), 0.1), scale(sizeIn(call, call.args[0]!), 0.25)),
    range(0n, size.max),
  )
})

const address: Range = range(4, 16)

const containsNetwork =
  (inner: boolean): Estimate =>
  (call) => {
    if (call.args.length === 0) return undefined
    let cost = scale(plus(address, address), 0.1)
    if (inner) cost = plus(plus(cost, scale(address, 0.1)), one)
    return result(
      call.overload.endsWith("_string") ? plus(cost, scale(sizeIn(call, call.args[0]!), 0.1)) : cost,
    )
  }

const selector: Estimate = (call) => {
  if (call.args.length !== 1) return undefined
  const size = sizeIn(call, call.args[0]!)
  return result(plus(plus(range(10), scale(size, 0.1)), scale(scale(size, 0.5), 50)))
}

const objects = new Set([
  "kubernetes.Quantity",
  "kubernetes.authorization.Authorizer",
  "kubernetes.authorization.PathCheck",
  "kubernetes.authorization.GroupCheck",
  "kubernetes.authorization.ResourceCheck",
  "kubernetes.authorization.Decision",
  "kubernetes.Semver",
  "net.IP",
  "net.CIDR",
])

const equals: Estimate = ({ args: [left, right] }) => {
  if (left === undefined || right === undefined || !left.type.isExactly(right.type)) return undefined
  if (objects.has(left.type.name)) return result(one)
  if (left.type.name === "kubernetes.NamedFormat") return result(scale(range(1, 64), 0.1))
  if (left.type.name !== "kubernetes.URL") return undefined
  return result(scale(range(1n, right.size?.max ?? 1n), 0.1))
}

function words(names: string, estimate: Estimate): [string, Estimate][] {
  return names.split(" ").map((name) => [name, estimate])
}

const byFunction: ReadonlyMap<string, Estimate> = new Map<string, Estimate>([
  ["check", () => result(range(350_000))],
  ...words(
    "serviceAccount path group resource subresource namespace name allowed reason error errored format.named",
    unit,
  ),
  ...words("fieldSelector labelSelector", selector),
  ...words("isSorted sum max min indexOf lastIndexOf includes", wholeList),
  ...words("url jsonpatch.escapeKey", (call) =>
    call.args.length === 1 ? firstArg(0.1, true)(call) : undefined,
  ),
  ...words("lowerAscii upperAscii substring trim", sameSize),
  ["replace", replace],
  ["split", split],
  ["join", join],
  ...words("find findAll", find),
  ...words("cidr isIP isCIDR quantity isQuantity semver isSemver", firstArg()),
  ["ip", (call) => (call.overload === "cidr_ip" ? result(one) : firstArg()(call))],
  ["ip.isCanonical", firstArg(0.2)],
  ...words(
    "masked prefixLength family isUnspecified isLoopback isLinkLocalMulticast isLinkLocalUnicast isGlobalUnicast",
    unit,
  ),
  ["containsIP", containsNetwork(false)],
  ["containsCIDR", containsNetwork(true)],
  [
    "validate",
    (call) =>
      call.args.length === 0 ? undefined : result(scale(scale(sizeIn(call, call.args[0]!), 0.1), 128 * 0.25)),
  ],
  ...words(
    "sign asInteger isInteger asApproximateFloat isGreaterThan isLessThan compareTo add sub major minor patch",
    unit,
  ),
  ...words("getScheme getHostname getHost getPort getEscapedPath getQuery", unit),
  ["_==_", equals],
])

/** A call that makes a list. */
const allocating = (factor: number, size: Range): CallEstimate =>
  result(plus(plus(scale(size, factor), one), range(10)), size)
const asUint = (node: Estimated | undefined, otherwise: bigint): bigint => {
  const value = intLiteral(node?.expr)
  return value === undefined ? otherwise : value < 0n ? 0n : value
}
const compared = (size: Range, factor: number): CallEstimate => allocating(factor, times(size, size))
const sortCost = (call: CallShape, node: Estimated): CallEstimate =>
  compared(sizeIn(call, node), /^list_(?:string|bytes)_/.test(call.overload) ? 2.1 : 2)
const sets =
  (factor: number): Estimate =>
  (call) =>
    result(plus(scale(times(sizeIn(call, call.args[0]!), sizeIn(call, call.args[1]!)), factor), one))

const byOverload: ReadonlyMap<string, Estimate> = new Map<string, Estimate>([
  [
    "list_slice",
    onTarget(({ args }, size) =>
      allocating(1, range(BigInt.asUintN(64, asUint(args[1], size.max) - asUint(args[0], 0n)))),
    ),
  ],
  ["lists_range", ({ args }) => allocating(1, range(asUint(args[0], unlimited)))],
  ["list_reverse", onTarget((_, size) => allocating(1, size))],
  ...words(
    "list_flatten list_flatten_int",
    onTarget(({ args }, size) =>
      allocating(args.length === 0 ? 1 : Number(asUint(args[0], unlimited)), size),
    ),
  ),
  ["list_distinct", onTarget((_, size) => compared(size, 2))],
  ...words("list_sets_contains_list list_sets_intersects_list", sets(1)),
  ["list_sets_equivalent_list", sets(2)],
])

const inUint64 = (value: bigint): bigint => BigInt.asUintN(64, value)

/** The language's own functions. */
function standard({ overload, target, args }: CallShape): CallEstimate | undefined {
  const [first, second] = args
  switch (overload) {
    case "string_format":
      return target && result(scale(orAnything(target), 0.1))
    case "string_to_bytes": {
      const size = orAnything(first!)
      return result(scale(size, 0.1), range(size.min, inUint64(size.max * 4n)))
    }
    case "bytes_to_string": {
      const size = orAnything(first!)
      return result(scale(size, 0.1), range(size.min / 4n, size.max))
    }
    case "strings_quote": {
      const size = orAnything(first!)
      return result(scale(size, 0.1), range(inUint64(size.min + 2n), inUint64(size.max * 2n + 2n)))
    }
    case "starts_with_string":
    case "ends_with_string":
      return result(scale(orAnything(first!), 0.1))
    case "in_list":
      return result(orAnything(second!))
    case "matches":
    case "matches_string": {
      const [text, pattern] = target === undefined ? [first!, second!] : [target, first!]
      return result(times(scale(plus(orAnything(text), one), 0.1), scale(orAnything(pattern), 0.25)))
    }
    case "contains_string":
      return target && result(times(scale(orAnything(target), 0.1), scale(orAnything(first!), 0.1)))
  }
  if (!/^(?:(?:less|greater)(?:_equals)?_(?:string|bytes)|equals|not_equals)$/.test(overload))
    return undefined
  const [left, right] = [orAnything(first!), orAnything(second!)]
  const max = left.max < right.max ? left.max : right.max
  return result(scale(range(max > 0n ? 1n : 0n, max), 0.1))
}

/** What one overload can cost, without its arguments; undefined for those that cost as their arguments do, or 1. */
export function estimateCall(
  name: string,
  overload: string,
  target: Estimated | undefined,
  args: readonly Estimated[],
  sizeOf: SizeOf,
): CallEstimate | undefined {
  const call: CallShape = { name, overload, target, args, sizeOf }
  const own = byOverload.get(overload)?.(call)
  if (own !== undefined) return own
  if (target !== undefined && /^list_.*_sort$/.test(overload)) return sortCost(call, target)
  if (overload.endsWith("_sortByAssociatedKeys")) return sortCost(call, args[0]!)
  return byFunction.get(name)?.(call) ?? standard(call)
}
