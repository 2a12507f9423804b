/**
 * YAML text to JSON values by Go's rules. Loads the YAML library, so it is reached only through `loadYaml`.
 * Mirrors: sigs.k8s.io/yaml, apimachinery pkg/util/yaml
 */
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, Scalar } from "yaml"
import type { Document, Node, Pair, YAMLError, YAMLMap } from "yaml"
import { setOwn } from "./deep.ts"
import { goQuote } from "./go-format.ts"
import { resolvePlain, type YamlScalar } from "./yaml-resolve.ts"

export interface YamlOptions {
  /** A key that occurs twice in a map is an error (`yaml: unmarshal errors: …`). Default false: the last one counts. */
  readonly strict?: boolean
  /** Takes what is said of keys that occur twice in a map (`line 2: key "a" already set in map`): no error then. */
  readonly duplicates?: string[]
}

/** Errors of the library as go-yaml words them, and whether go-yaml's scanner (not its parser) finds them. */
const wording: Readonly<Record<string, { text: string; scanner: boolean }>> = {
  BLOCK_AS_IMPLICIT_KEY: { text: "mapping values are not allowed in this context", scanner: true },
  TAB_AS_INDENT: { text: "found character that cannot start any token", scanner: true },
  MULTILINE_IMPLICIT_KEY: { text: "could not find expected ':'", scanner: true },
  BAD_SCALAR_START: { text: "found character that cannot start any token", scanner: true },
  BAD_DQ_ESCAPE: { text: "found unknown escape character", scanner: true },
  BAD_INDENT: { text: "did not find expected key", scanner: false },
  BLOCK_IN_FLOW: { text: "did not find expected node content", scanner: false },
  UNEXPECTED_TOKEN: { text: "did not find expected key", scanner: false },
  MISSING_CHAR: { text: "could not find expected ':'", scanner: true },
  BAD_ALIAS: { text: "did not find expected alphabetic or numeric character", scanner: true },
  MULTIPLE_ANCHORS: { text: "did not find expected node content", scanner: false },
}

/** What the library says of an unfinished collection or quote, and go-yaml's words for it. */
const unfinished: readonly [RegExp, string, boolean][] = [
  [/quote/, "found unexpected end of stream", true],
  [/flow map|expected flow map|and end with a \}/i, "did not find expected ',' or '}'", false],
  [/flow sequence|and end with a \]/i, "did not find expected ',' or ']'", false],
  [/A block sequence may not be used|All sequence items/, "did not find expected '-' indicator", false],
]

function wordingOf(error: YAMLError): { text: string; scanner: boolean } {
  for (const [pattern, text, scanner] of unfinished) {
    if (pattern.test(error.message.split("\n")[0]!)) return { text, scanner }
  }
  return wording[error.code] ?? { text: error.message.split("\n")[0]!, scanner: true }
}

function goError(error: YAMLError, lines: LineCounter, source: string): Error {
  const { text, scanner } = wordingOf(error)
  // go-yaml ends the last line before its parser comes to the end of the text.
  const added = !scanner && error.pos[1] >= source.length && !source.endsWith("\n") ? 1 : 0
  const at = error.pos[0] < 0 ? 1 : lines.linePos(error.pos[1]).line + added
  const line = at - (scanner ? 0 : 1)
  const where = at === 1 ? "" : `line ${line}: `
  return new Error(`yaml: ${where}${text}`, { cause: error })
}

class Conversion {
  readonly #document: Document.Parsed
  readonly #lines: LineCounter
  readonly #strict: boolean
  readonly #problems: string[] = []
  readonly #open = new Set<Node>()
  readonly #known = new Map<Scalar, YamlScalar>()
  #decoded = 0
  #decodedInAlias = 0
  #aliasDepth = 0

  constructor(document: Document.Parsed, lines: LineCounter, strict: boolean) {
    this.#document = document
    this.#lines = lines
    this.#strict = strict
  }

  run(duplicates?: string[]): unknown {
    const value = this.#value(this.#document.contents)
    if (duplicates) duplicates.push(...this.#problems)
    else if (this.#problems.length > 0) {
      throw new Error(`yaml: unmarshal errors:\n${this.#problems.map((text) => `  ${text}`).join("\n")}`)
    }
    return value
  }

  #value(node: unknown): unknown {
    if (node === null || node === undefined) return null
    this.#count()
    if (isAlias(node)) return this.#inAlias(node.source, (target) => this.#value(target))
    if (isScalar(node)) return this.#aliasDepth === 0 ? scalarValue(node) : this.#again(node)
    if (isSeq(node)) return node.items.map((item) => this.#value(item))
    if (isMap(node)) return this.#map(node)
    return null
  }

  /** What is read through aliases is read many times. */
  #again(node: Scalar): YamlScalar {
    let value = this.#known.get(node)
    if (value === undefined) this.#known.set(node, (value = scalarValue(node)))
    return value
  }

  /** Small texts must not stand for huge values. The bounds are go-yaml's. */
  #count(): void {
    this.#decoded++
    if (this.#aliasDepth > 0) this.#decodedInAlias++
    const ratio =
      this.#decoded <= 400_000
        ? 0.99
        : this.#decoded >= 4_000_000
          ? 0.1
          : 0.99 - (0.89 * (this.#decoded - 400_000)) / 3_600_000
    if (this.#decodedInAlias > 100 && this.#decoded > 1000 && this.#decodedInAlias / this.#decoded > ratio) {
      throw new Error("yaml: document contains excessive aliasing")
    }
  }

  #target(name: string): Node {
    const found = this.#anchors.get(name)
    if (!found) throw new Error(`yaml: unknown anchor '${name}' referenced`)
    if (this.#open.has(found)) throw new Error(`yaml: anchor '${name}' value contains itself`)
    return found
  }

  #anchorsByName: Map<string, Node> | undefined

  get #anchors(): Map<string, Node> {
    if (this.#anchorsByName) return this.#anchorsByName
    const out = new Map<string, Node>()
    const visit = (node: unknown): void => {
      if (node === null || typeof node !== "object") return
      const anchor = (node as { anchor?: string }).anchor
      if (anchor !== undefined) out.set(anchor, node as Node)
      if (isSeq(node)) node.items.forEach(visit)
      else if (isMap(node)) {
        for (const pair of node.items) {
          visit(pair.key)
          visit(pair.value)
        }
      }
    }
    visit(this.#document.contents)
    return (this.#anchorsByName = out)
  }

  #inAlias<T>(name: string, read: (target: Node) => T): T {
    const target = this.#target(name)
    this.#aliasDepth++
    this.#open.add(target)
    const value = read(target)
    this.#open.delete(target)
    this.#aliasDepth--
    return value
  }

  #map(node: YAMLMap): Record<string, unknown> {
    const out: Record<string, unknown> = {}
    const wasOpen = this.#open.has(node)
    this.#open.add(node)
    this.#fill(node, out)
    if (!wasOpen) this.#open.delete(node)
    return out
  }

  /** Puts what a map holds into `into`, but for keys that are `taken` already, and takes its own. */
  #fill(node: YAMLMap, into: Record<string, unknown>, taken?: Set<string>): void {
    const own = new Set<string>()
    const merges: Pair[] = []
    for (const pair of node.items) {
      const key = pair.key
      if (isScalar(key) && key.type === Scalar.PLAIN && key.value === "<<") {
        merges.push(pair)
        continue
      }
      const name = this.#key(key)
      if (own.has(name) && this.#strict) {
        this.#problems.push(`line ${this.#lineOf(key)}: key ${goQuote(name)} already set in map`)
      }
      own.add(name)
      const value = this.#value(pair.value)
      if (!taken?.has(name)) setOwn(into, name, value)
    }
    if (taken) for (const name of own) taken.add(name)
    for (const pair of merges) this.#merge(pair.value, into, taken ?? own)
  }

  /** Merges where the keys come to lie: a chain of merges is not built anew at each of its links. */
  #merge(source: unknown, into: Record<string, unknown>, taken: Set<string>): void {
    this.#count()
    if (isAlias(source)) {
      this.#inAlias(source.source, (target) => this.#merge(target, into, taken))
    } else if (isSeq(source)) {
      for (const item of source.items) this.#merge(item, into, taken)
    } else if (isMap(source)) {
      const wasOpen = this.#open.has(source)
      this.#open.add(source)
      this.#fill(source, into, taken)
      if (!wasOpen) this.#open.delete(source)
    } else {
      throw new Error("yaml: map merge requires map or sequence of maps as the value")
    }
  }

  /** JSON has only text as keys: what else a key may be becomes text. */
  #key(node: unknown): string {
    const value = this.#value(node)
    if (typeof value === "string") return value
    if (typeof value === "number" || typeof value === "boolean") return String(value)
    if (value === null) throw new Error("unsupported map key of type: null")
    throw new Error("yaml: invalid map key")
  }

  #lineOf(node: unknown): number {
    return this.#lines.linePos((node as Node | null)?.range?.[0] ?? 0).line
  }
}

function scalarValue(node: Scalar): YamlScalar {
  const text = typeof node.value === "string" ? node.value : (node.source ?? "")
  const tag = node.tag?.replace("tag:yaml.org,2002:", "!!")
  if (tag === "!!binary") return Buffer.from(text, "base64").toString("latin1")
  if (tag === "!!str") return text
  if (tag === undefined || tag === "" || tag === "!") {
    return node.type === Scalar.PLAIN && tag !== "!" ? jsonNumber(resolvePlain(text)) : text
  }
  const value = resolvePlain(text)
  const fits =
    (tag === "!!int" && typeof value === "number" && Number.isInteger(value)) ||
    (tag === "!!float" && typeof value === "number") ||
    (tag === "!!bool" && typeof value === "boolean") ||
    (tag === "!!null" && value === null)
  if (fits) return jsonNumber(value)
  if (tag === "!!int" || tag === "!!float" || tag === "!!bool" || tag === "!!null") {
    throw new Error(`yaml: cannot decode !!str \`${text}\` as a ${tag}`)
  }
  return text
}

function jsonNumber(value: YamlScalar): YamlScalar {
  if (typeof value === "number" && !Number.isFinite(value)) {
    const shown = Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf"
    throw new Error(`json: unsupported value: ${shown}`)
  }
  return value
}

/** One document. Empty text is null. */
export function parseYamlText(text: string, options: YamlOptions): unknown {
  const lines = new LineCounter()
  const document = parseDocument(text, {
    schema: "failsafe",
    version: "1.1",
    merge: false,
    uniqueKeys: false,
    strict: false,
    // The library would quote the line of every error that it finds, and only the first is told of.
    prettyErrors: false,
    lineCounter: lines,
    logLevel: "silent",
  })
  const error = document.errors.find((one) => one.code !== "MULTIPLE_DOCS")
  if (error) throw goError(error, lines, text)
  const conversion = new Conversion(
    document,
    lines,
    options.strict === true || options.duplicates !== undefined,
  )
  return conversion.run(options.duplicates)
}
