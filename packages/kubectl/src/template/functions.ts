/** The functions of Go templates, and Go's printing of values. Mirrors: Go text/template/funcs.go, fmt */
import { compareBytes, goQuote } from "@knarr/apimachinery"
import { tableOf } from "@knarr/base"

type Fn = (...args: unknown[]) => unknown

/** Whether `if` takes its branch. */
export function isTruthy(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === "") return false
  if (Array.isArray(value)) return value.length > 0
  return typeof value === "object" ? Object.keys(value).length > 0 : true
}

/** A value as `%v` prints it; what is missing is `<no value>`. */
export function goText(value: unknown): string {
  if (value === undefined || value === null) return "<no value>"
  return valueText(value)
}

function valueText(value: unknown): string {
  if (value === undefined || value === null) return "<nil>"
  if (typeof value === "number") return numberText(value)
  if (typeof value !== "object") return String(value)
  if (Array.isArray(value)) return `[${value.map(valueText).join(" ")}]`
  const source = value as Record<string, unknown>
  const keys = Object.keys(source).sort(compareBytes)
  return `map[${keys.map((key) => `${key}:${valueText(source[key])}`).join(" ")}]`
}

function numberText(value: number): string {
  if (Number.isInteger(value) && Math.abs(value) < 1e21) return String(value)
  return String(value).replace(/e([-+])(\d)$/, "e$10$2")
}

/** Go's own bound. */
const maxWidth = 1_000_000

/** Go's Sprintf for the verbs that templates use. */
function goSprintf(format: string, ...args: unknown[]): string {
  let next = 0
  const text = format.replace(
    /%([-+# 0]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])/g,
    (_, flags: string, width, precision, verb) => {
      if (verb === "%") return "%"
      if (next >= args.length) return `%!${verb}(MISSING)`
      let out = verbText(
        verb as string,
        args[next++],
        precision === undefined ? undefined : Math.min(Number(precision), 100),
        flags,
      )
      const size = Number(width ?? 0)
      if (size > maxWidth) return `%!(BADWIDTH)${out}`
      if (flags.includes("-")) out = out.padEnd(size)
      else if (flags.includes("0") && verb !== "s") out = out.padStart(size, "0")
      else out = out.padStart(size)
      return out
    },
  )
  if (next >= args.length) return text
  const extra = args.slice(next).map((arg) => `${typeName(arg)}=${valueText(arg)}`)
  return `${text}%!(EXTRA ${extra.join(", ")})`
}

function typeName(value: unknown): string {
  if (typeof value === "string") return "string"
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "float64"
  return typeof value === "boolean" ? "bool" : value === null ? "<nil>" : "map[string]interface {}"
}

function verbText(verb: string, value: unknown, precision: number | undefined, flags: string): string {
  switch (verb) {
    case "s":
    case "v": {
      const text = valueText(value)
      return verb === "s" && precision !== undefined ? text.slice(0, precision) : text
    }
    case "q":
      return goQuote(valueText(value))
    case "d":
      if (typeof value !== "number") return `%!d(${typeName(value)}=${valueText(value)})`
      return (flags.includes("+") && value >= 0 ? "+" : "") + String(Math.trunc(value))
    case "f":
      return Number(value).toFixed(precision ?? 6)
    case "x":
    case "X": {
      const hex = typeof value === "number" ? value.toString(16) : Buffer.from(String(value)).toString("hex")
      return verb === "X" ? hex.toUpperCase() : hex
    }
    case "t":
      return String(value)
    case "T":
      return typeName(value)
    default:
      return `%!${verb}(${typeName(value)}=${valueText(value)})`
  }
}

function compareValues(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") return a - b
  if (typeof a === "string" && typeof b === "string") return compareBytes(a, b)
  throw new Error("incompatible types for comparison")
}

function sameValue(a: unknown, b: unknown): boolean {
  if (a === undefined || a === null || b === undefined || b === null) return (a ?? null) === (b ?? null)
  if (typeof a !== typeof b) throw new Error("incompatible types for comparison")
  return a === b
}

function print(args: readonly unknown[]): string {
  let out = ""
  args.forEach((arg, i) => {
    if (i > 0 && typeof arg !== "string" && typeof args[i - 1] !== "string") out += " "
    out += valueText(arg)
  })
  return out
}

function lengthOf(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value)
  if (Array.isArray(value)) return value.length
  if (typeof value === "object" && value !== null) return Object.keys(value).length
  throw new Error("error calling len: len of nil pointer")
}

function indexOf(value: unknown, ...keys: unknown[]): unknown {
  let current = value
  for (const key of keys) {
    if (current === undefined || current === null)
      throw new Error("error calling index: index of untyped nil")
    if (Array.isArray(current)) {
      if (typeof key !== "number" || key < 0 || key >= current.length) {
        throw new Error(`error calling index: reflect: slice index out of range`)
      }
      current = current[key]
    } else if (typeof current === "string") current = Buffer.from(current)[key as number]
    else current = (current as Record<string, unknown>)[String(key)]
  }
  return current
}

function exists(value: unknown, ...keys: unknown[]): boolean {
  let current = value
  for (const key of keys) {
    if (typeof current !== "object" || current === null) return false
    current = (current as Record<string, unknown>)[String(key)]
    if (current === undefined) return false
  }
  return true
}

const htmlEscapes: Readonly<Record<string, string>> = {
  "<": "&lt;",
  ">": "&gt;",
  "&": "&amp;",
  '"': "&#34;",
  "'": "&#39;",
}

function sliceOf(value: unknown, ...bounds: unknown[]): unknown {
  if (typeof value !== "string" && !Array.isArray(value))
    throw new Error(`error calling slice: can't slice item of type ${typeName(value)}`)
  if (bounds.length > 3) throw new Error(`error calling slice: too many slice indexes: ${bounds.length}`)
  if (typeof value === "string" && bounds.length === 3)
    throw new Error("error calling slice: cannot 3-index slice a string")
  const bytes = typeof value === "string" ? Buffer.from(value) : value
  for (const bound of bounds) {
    if (typeof bound !== "number" || !Number.isInteger(bound))
      throw new Error(`error calling slice: cannot index slice/array with type ${typeName(bound)}`)
    if (bound < 0 || bound > bytes.length)
      throw new Error(`error calling slice: index out of range: ${bound}`)
  }
  const [from = 0, to = bytes.length] = bounds as number[]
  if (from > to) throw new Error(`error calling slice: invalid slice index: ${from} > ${to}`)
  return bytes instanceof Buffer ? bytes.subarray(from, to).toString() : bytes.slice(from, to)
}

/** Functions that take more arguments than they name. */
const variadic: ReadonlySet<string> = new Set([
  ...["print", "println", "printf", "index", "exists", "slice", "eq", "html", "js", "urlquery"],
])

/** Calls a function by its name. Throws in Go's words. */
export function callFunction(name: string, args: readonly unknown[]): unknown {
  const fn = templateFunctions[name]
  if (!fn) throw new Error(`function ${JSON.stringify(name)} not defined`)
  const more = variadic.has(name)
  if (args.length < fn.length || (args.length > fn.length && !more)) {
    const wanted = `${more ? "at least " : ""}${fn.length}`
    throw new Error(`wrong number of args for ${name}: want ${wanted} got ${args.length}`)
  }
  return fn(...args)
}

const templateFunctions: Readonly<Record<string, Fn>> = tableOf<Fn>({
  print: (...args) => print(args),
  println: (...args) => `${args.map(valueText).join(" ")}\n`,
  printf: (format, ...args) => goSprintf(String(format), ...args),
  len: lengthOf,
  index: indexOf,
  exists,
  slice: sliceOf,
  not: (value) => !isTruthy(value),
  eq: (first, ...others) => others.some((one) => sameValue(first, one)),
  ne: (a, b) => !sameValue(a, b),
  lt: (a, b) => compareValues(a, b) < 0,
  le: (a, b) => compareValues(a, b) <= 0,
  gt: (a, b) => compareValues(a, b) > 0,
  ge: (a, b) => compareValues(a, b) >= 0,
  html: (...args) => print(args).replace(/[<>&"']/g, (char) => htmlEscapes[char]!),
  js: (...args) => JSON.stringify(print(args)).slice(1, -1),
  urlquery: (...args) => encodeURIComponent(print(args)).replaceAll("%20", "+"),
  base64decode: (text) => Buffer.from(String(text), "base64").toString("utf8"),
})
