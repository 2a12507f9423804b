/** The grammar of kubectl's JSONPath templates, with its errors. Mirrors: client-go util/jsonpath/parser.go */
import { trimOf } from "@knarr/base"

/** One step of a slice: a number that was written, or one that follows from it. */
export interface SliceParam {
  known: boolean
  value: number
  /** The end of `[n]`, which is n + 1. */
  derived: boolean
}

export type PathNode =
  | { readonly type: "list"; readonly nodes: PathNode[] }
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "field"; readonly name: string }
  | { readonly type: "identifier"; readonly name: string }
  | { readonly type: "literal"; readonly value: number | boolean }
  | { readonly type: "array"; readonly params: readonly [SliceParam, SliceParam, SliceParam] }
  | { readonly type: "union"; readonly lists: ListNode[] }
  | {
      readonly type: "filter"
      readonly left: ListNode
      readonly right: ListNode
      readonly operator: string
    }
  | { readonly type: "wildcard" }
  | { readonly type: "recursive" }

export type ListNode = Extract<PathNode, { type: "list" }>

const dictKey = /^'([^']*)'$/
const sliceOperator = /^(-?\d*)(:-?\d*)?(:-?\d*)?$/
const comparison = /^([^!<>=]+)([!<>=]+)(.+?)$/

function isTerminator(char: string): boolean {
  return char === "" || " \t\r\n.,[]$@{}".includes(char)
}

function isWordChar(char: string): boolean {
  return /^[_\p{L}\p{Nd}]/u.test(char)
}

class Parser {
  readonly root: ListNode = { type: "list", nodes: [] }
  readonly #input: string
  #at = 0
  #start = 0

  constructor(input: string) {
    this.#input = input
  }

  parse(): ListNode {
    while (this.#at < this.#input.length) {
      const open = this.#input.indexOf("{", this.#at)
      this.#at = open < 0 ? this.#input.length : open
      if (this.#at > this.#start) this.root.nodes.push({ type: "text", text: this.#consume() })
      if (open < 0) break
      this.#at++
      this.#consume()
      const list: ListNode = { type: "list", nodes: [] }
      this.root.nodes.push(list)
      this.#action(list.nodes)
    }
    return this.root
  }

  #consume(): string {
    const text = this.#input.slice(this.#start, this.#at)
    this.#start = this.#at
    return text
  }

  /** The next character, "" at the end. */
  #next(): string {
    const code = this.#input.codePointAt(this.#at)
    if (code === undefined) return ""
    const char = String.fromCodePoint(code)
    this.#at += char.length
    return char
  }

  /** What is between the braces; returns after the closing one. */
  #action(into: PathNode[]): void {
    for (;;) {
      const rest = this.#input
      if (rest.startsWith("}", this.#at)) {
        this.#at++
        this.#consume()
        return
      }
      if (rest.startsWith("[?(", this.#at)) {
        this.#filter(into)
        continue
      }
      if (rest.startsWith("..", this.#at)) {
        this.#recursive(into)
        continue
      }
      const char = this.#next()
      if (char === "" || char === "\r" || char === "\n") throw new Error("unclosed action")
      if (char === " " || char === "@" || char === "$") this.#consume()
      else if (char === "[") this.#array(into)
      else if (char === '"' || char === "'") this.#quote(into, char)
      else if (char === ".") this.#field(into)
      else if (/^[+\-\p{Nd}]/u.test(char)) {
        this.#at -= char.length
        this.#number(into)
      } else if (isWordChar(char)) {
        this.#at -= char.length
        this.#identifier(into)
      } else {
        const code = char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")
        const shown = /[\p{L}\p{M}\p{N}\p{P}\p{S}]/u.test(char) ? ` '${char}'` : ""
        throw new Error(`unrecognized character in action: U+${code}${shown}`)
      }
    }
  }

  #identifier(into: PathNode[]): void {
    while (!isTerminator(this.#input[this.#at] ?? "")) this.#at++
    const name = this.#consume()
    if (name === "true" || name === "false") into.push({ type: "literal", value: name === "true" })
    else into.push({ type: "identifier", name })
  }

  #recursive(into: PathNode[]): void {
    if (into.at(-1)?.type === "recursive") throw new Error("invalid multiple recursive descent")
    this.#at += 2
    this.#consume()
    into.push({ type: "recursive" })
    if (isWordChar(this.#input.slice(this.#at, this.#at + 2))) this.#field(into)
  }

  #number(into: PathNode[]): void {
    const text = /^[+-]?[.\d]*/.exec(this.#input.slice(this.#at))![0]
    this.#at += text.length
    const value = this.#consume()
    if (!/^[+-]?(?:\d+(?:\.\d*)?|\.\d+)$/.test(value)) throw new Error(`cannot parse number ${value}`)
    into.push({ type: "literal", value: Number(value) })
  }

  #array(into: PathNode[]): void {
    for (;;) {
      const char = this.#next()
      if (char === "" || char === "\n") throw new Error("unterminated array")
      if (char === "]") break
    }
    const inner = this.#consume().slice(1, -1)
    const text = inner === "*" ? ":" : inner
    const parts = text.split(",")
    if (parts.length > 1) {
      into.push({
        type: "union",
        lists: parts.map((part) => parseAction(`[${trimOf(part, " ")}]`)),
      })
      return
    }
    const key = dictKey.exec(text)
    if (key) {
      into.push(...parseAction(`.${key[1]}`).nodes)
      return
    }
    const slice = sliceOperator.exec(text)
    if (!slice) throw new Error(`invalid array index ${text}`)
    into.push({ type: "array", params: sliceParams(slice) })
  }

  #filter(into: PathNode[]): void {
    this.#at += 3
    this.#consume()
    let begin = false
    let end = false
    let pair = ""
    for (;;) {
      const char = this.#next()
      if (char === "" || char === "\n") throw new Error("unterminated filter")
      if (char === '"' || char === "'") {
        if (!begin) {
          begin = true
          pair = char
        } else if (this.#input[this.#at - 2] !== "\\" && char === pair) end = true
      } else if (char === ")" && begin === end) break
    }
    if (this.#next() !== "]") throw new Error("unclosed array expect ]")
    const text = this.#consume().slice(0, -2)
    const parts = comparison.exec(text)
    if (parts) {
      const left = parseAction(parts[1]!)
      into.push({ type: "filter", left, right: parseAction(parts[3]!), operator: parts[2]! })
    } else {
      into.push({
        type: "filter",
        left: parseAction(text),
        right: { type: "list", nodes: [] },
        operator: "exists",
      })
    }
  }

  #quote(into: PathNode[], end: string): void {
    for (;;) {
      const char = this.#next()
      if (char === "" || char === "\n") throw new Error("unterminated quoted string")
      if (char === end && this.#input[this.#at - 2] !== "\\") break
    }
    const value = this.#consume()
    const text = unquote(value)
    if (text === undefined) throw new Error(`unquote string ${value} error invalid syntax`)
    into.push({ type: "text", text })
  }

  #field(into: PathNode[]): void {
    this.#consume()
    for (;;) {
      const char = this.#input[this.#at] ?? ""
      if (char === "\\") this.#at += 2
      else if (isTerminator(char)) break
      else this.#at++
    }
    const value = this.#consume()
    into.push(value === "*" ? { type: "wildcard" } : { type: "field", name: value.replaceAll("\\", "") })
  }
}

function sliceParams(m: RegExpExecArray): [SliceParam, SliceParam, SliceParam] {
  const read = (text: string): number => {
    if (!/^-?\d+$/.test(text)) throw new Error(`array index ${text} is not a number`)
    return Number(text)
  }
  const unknown = (): SliceParam => ({ known: false, value: 0, derived: false })
  const first = m[1] ? { known: true, value: read(m[1]), derived: false } : unknown()
  const rest = [m[2], m[3]].map((text, i): SliceParam => {
    if (text === undefined || text === "") {
      return i === 0 ? { known: true, value: first.value + 1, derived: true } : unknown()
    }
    return text === ":" ? unknown() : { known: true, value: read(text.slice(1)), derived: false }
  })
  return [first, rest[0]!, rest[1]!]
}

const escapes: Readonly<Record<string, string>> = {
  a: "\u0007",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
}

/** A quoted text's value by Go's rules, for single quotes too; undefined when it is malformed. */
function unquote(text: string): string | undefined {
  const quote = text[0]!
  const body = text.slice(1, -1)
  if (text.length < 2 || text.at(-1) !== quote) return undefined
  let out = ""
  for (let at = 0; at < body.length;) {
    const char = body[at]!
    if (char === quote) return undefined
    if (char !== "\\") {
      out += char
      at++
      continue
    }
    const next = body[at + 1] ?? ""
    const simple = escapes[next] ?? (next === quote ? quote : undefined)
    if (simple !== undefined) {
      out += simple
      at += 2
      continue
    }
    const coded = /^\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))/.exec(
      body.slice(at),
    )
    if (!coded) return undefined
    const code = coded[4] ? parseInt(coded[4], 8) : parseInt((coded[1] ?? coded[2] ?? coded[3])!, 16)
    if (code > (coded[4] ? 255 : 0x10ffff)) return undefined
    out += String.fromCodePoint(code)
    at += coded[0].length
  }
  return out
}

function parseAction(text: string): ListNode {
  return new Parser(`{${text}}`).parse().nodes[0] as ListNode
}

/** The nodes of a template. Throws an Error with upstream's message. */
export function parseTemplate(text: string): ListNode {
  return new Parser(text).parse()
}
