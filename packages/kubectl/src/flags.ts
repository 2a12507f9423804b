/** Flags as the programs of Kubernetes read them: `--flag value`, `--flag=value`, `-abc`, `-ovalue`. Mirrors: spf13/pflag */
import { goQuote, parseGoDuration } from "@knarr/apimachinery"

export type FlagType = "bool" | "string" | "array" | "csv" | "int" | "duration"

export interface FlagSpec {
  readonly name: string
  readonly short?: string
  /** "array" takes each use as one value, "csv" splits at commas. */
  readonly type: FlagType
  /** As it would be written; lists are empty by default. */
  readonly default: string
  readonly help: string
  /** The value when the flag stands alone (`--dry-run`); flags with one never take the next argument. */
  readonly bare?: string
}

interface FlagExtra {
  readonly short?: string
  readonly default?: string
  readonly bare?: string
  readonly help?: string
}

function make(type: FlagType, name: string, fallback: string, extra: FlagExtra | string): FlagSpec {
  const {
    short,
    bare,
    help = "",
    default: given = fallback,
  } = typeof extra === "string" ? { help: extra } : extra
  const standing = bare ?? (type === "bool" ? "true" : undefined)
  return {
    name,
    type,
    default: given,
    help,
    ...(short ? { short } : {}),
    ...(standing === undefined ? {} : { bare: standing }),
  }
}

/** The makers of flags; the last argument is the help text, or that and more. */
export const flag = {
  bool: (name: string, extra: FlagExtra | string = ""): FlagSpec => make("bool", name, "false", extra),
  text: (name: string, extra: FlagExtra | string = ""): FlagSpec => make("string", name, "", extra),
  array: (name: string, extra: FlagExtra | string = ""): FlagSpec => make("array", name, "", extra),
  csv: (name: string, extra: FlagExtra | string = ""): FlagSpec => make("csv", name, "", extra),
  int: (name: string, extra: FlagExtra | string = ""): FlagSpec => make("int", name, "0", extra),
  duration: (name: string, extra: FlagExtra | string = ""): FlagSpec => make("duration", name, "0s", extra),
}

/** The flags of a command line. Reading a flag that the command does not declare gives its type's zero. */
export class Flags {
  readonly #specs: ReadonlyMap<string, FlagSpec>
  readonly #values = new Map<string, string[]>()

  constructor(specs: readonly FlagSpec[]) {
    this.#specs = new Map(specs.map((spec) => [spec.name, spec]))
  }

  has(name: string): boolean {
    return this.#specs.has(name)
  }

  /** Whether the flag was given. */
  changed(name: string): boolean {
    return this.#values.has(name)
  }

  set(name: string, value: string): void {
    const spec = this.#specs.get(name)
    const repeated = spec?.type === "array" || spec?.type === "csv"
    this.#values.set(name, repeated ? [...(this.#values.get(name) ?? []), value] : [value])
  }

  text(name: string): string {
    return this.#values.get(name)?.at(-1) ?? this.#specs.get(name)?.default ?? ""
  }

  bool(name: string): boolean {
    return trueTexts.has(this.text(name))
  }

  int(name: string): number {
    return Number(this.text(name))
  }

  /** Milliseconds. */
  duration(name: string): number {
    return parseGoDuration(this.text(name) || "0s") ?? 0
  }

  list(name: string): string[] {
    const values = this.#values.get(name) ?? []
    if (this.#specs.get(name)?.type !== "csv") return [...values]
    return values.flatMap(splitCsv)
  }
}

/** One line of comma-separated values, with quotes as Go's csv reader takes them. */
function splitCsv(text: string): string[] {
  if (text === "") return []
  if (!text.includes('"')) return text.split(",")
  return [...text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map((m) =>
    m[1] === undefined ? (m[2] ?? "") : m[1].replaceAll('""', '"'),
  )
}

const trueTexts = new Set(["1", "t", "T", "true", "TRUE", "True"])
const falseTexts = new Set(["0", "f", "F", "false", "FALSE", "False"])

export interface ParsedArguments {
  readonly flags: Flags
  readonly args: string[]
  /** How many of the arguments stand before `--`; -1 without one. */
  readonly dashAt: number
}

/** Parses what follows the command's name. Throws an Error with pflag's message. */
export function parseFlags(
  argv: readonly string[],
  specs: readonly FlagSpec[],
  options: { interspersed?: boolean } = {},
): ParsedArguments {
  const byName = new Map(specs.map((spec) => [spec.name, spec]))
  const byShort = new Map(specs.filter((spec) => spec.short).map((spec) => [spec.short!, spec]))
  const flags = new Flags(specs)
  const args: string[] = []
  let dashAt = -1
  for (let i = 0; i < argv.length; i++) {
    const arg = argv[i]!
    if (arg === "--") {
      dashAt = args.length
      args.push(...argv.slice(i + 1))
      break
    }
    if (!arg.startsWith("-") || arg === "-") {
      args.push(arg)
      if (options.interspersed === false) {
        args.push(...argv.slice(i + 1))
        break
      }
      continue
    }
    if (arg.startsWith("--")) {
      const equals = arg.indexOf("=")
      const name = equals < 0 ? arg.slice(2) : arg.slice(2, equals)
      if (name === "" || name.startsWith("-")) throw new Error(`bad flag syntax: ${arg}`)
      const spec = byName.get(name)
      if (!spec) throw new Error(`unknown flag: --${name}`)
      if (equals >= 0) assign(flags, spec, arg.slice(equals + 1))
      else if (spec.bare !== undefined) assign(flags, spec, spec.bare)
      else if (i + 1 < argv.length) assign(flags, spec, argv[++i]!)
      else throw new Error(`flag needs an argument: --${name}`)
      continue
    }
    const cluster = arg.slice(1)
    for (let at = 0; at < cluster.length; at++) {
      const short = cluster[at]!
      const spec = byShort.get(short)
      if (!spec) throw new Error(`unknown shorthand flag: ${goRune(short)} in -${cluster.slice(at)}`)
      if (cluster.length > at + 2 && cluster[at + 1] === "=") {
        assign(flags, spec, cluster.slice(at + 2))
        break
      }
      if (spec.bare !== undefined) {
        assign(flags, spec, spec.bare)
        continue
      }
      if (cluster.length > at + 1) assign(flags, spec, cluster.slice(at + 1))
      else if (i + 1 < argv.length) assign(flags, spec, argv[++i]!)
      else throw new Error(`flag needs an argument: ${goRune(short)} in -${cluster.slice(at)}`)
      break
    }
  }
  return { flags, args, dashAt }
}

function goRune(char: string): string {
  return `'${char}'`
}

function assign(flags: Flags, spec: FlagSpec, value: string): void {
  const problem = problemOf(spec, value)
  if (problem !== undefined) {
    const shown = spec.short ? `-${spec.short}, --${spec.name}` : `--${spec.name}`
    throw new Error(`invalid argument ${goQuote(value)} for "${shown}" flag: ${problem}`)
  }
  flags.set(spec.name, value)
}

function problemOf(spec: FlagSpec, value: string): string | undefined {
  const quoted = goQuote(value)
  switch (spec.type) {
    case "bool":
      if (trueTexts.has(value) || falseTexts.has(value)) return undefined
      return `strconv.ParseBool: parsing ${quoted}: invalid syntax`
    case "int":
      return /^[+-]?\d+$/.test(value) ? undefined : `strconv.ParseInt: parsing ${quoted}: invalid syntax`
    case "duration":
      return durationProblem(value)
    default:
      return undefined
  }
}

function durationProblem(value: string): string | undefined {
  try {
    if (parseGoDuration(value) !== undefined) return undefined
  } catch (thrown) {
    return (thrown as Error).message
  }
  return `time: invalid duration ${goQuote(value)}`
}
