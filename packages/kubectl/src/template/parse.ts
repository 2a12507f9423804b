/** Go templates: from text to nodes. Mirrors: Go text/template/parse */
import { parseJson } from "@knarr/base"

export type Expr =
  | { readonly type: "dot" }
  | { readonly type: "literal"; readonly value: unknown }
  | { readonly type: "variable"; readonly name: string; readonly fields: readonly string[] }
  | { readonly type: "field"; readonly fields: readonly string[] }
  | { readonly type: "chain"; readonly base: Expr; readonly fields: readonly string[] }
  | { readonly type: "function"; readonly name: string }
  | { readonly type: "pipe"; readonly pipe: Pipe }

export interface Pipe {
  readonly variables: readonly string[]
  readonly assign: boolean
  readonly commands: readonly (readonly Expr[])[]
  readonly source: string
}

export type Node =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "action"; readonly pipe: Pipe }
  | {
      readonly type: "if" | "with" | "range"
      readonly pipe: Pipe
      readonly body: Node[]
      readonly otherwise: Node[]
    }
  | { readonly type: "break" | "continue" }
  | { readonly type: "template"; readonly name: string; readonly pipe: Pipe | undefined }

export interface ParsedTemplate {
  readonly nodes: readonly Node[]
  readonly defined: ReadonlyMap<string, readonly Node[]>
}

interface Piece {
  readonly action: boolean
  readonly text: string
}

/** Parses a template. Throws an Error. */
export function parseGoTemplate(text: string): ParsedTemplate {
  const pieces = split(text)
  const defined = new Map<string, readonly Node[]>()
  let index = 0

  const block = (closers: readonly string[]): { nodes: Node[]; end: string } => {
    const nodes: Node[] = []
    while (index < pieces.length) {
      const piece = pieces[index++]!
      if (!piece.action) {
        if (piece.text !== "") nodes.push({ type: "text", text: piece.text })
        continue
      }
      const word = /^[a-z]+/.exec(piece.text)?.[0] ?? ""
      const rest = piece.text.slice(word.length).trim()
      if (word === "end" || word === "else") {
        if (!closers.includes(word)) throw new Error(`unexpected {{${word}}}`)
        return { nodes, end: piece.text }
      }
      if (word === "if" || word === "with" || word === "range") nodes.push(control(word, rest))
      else if (word === "define") defined.set(parseJson(rest) as string, block(["end"]).nodes)
      else if (word === "template") {
        const m = /^("(?:[^"\\]|\\.)*"|`[^`]*`)\s*([^]*)$/.exec(rest)
        if (!m) throw new Error("unexpected token in template clause")
        const name = m[1]!.startsWith("`") ? m[1]!.slice(1, -1) : (JSON.parse(m[1]!) as string)
        nodes.push({ type: "template", name, pipe: m[2] ? parsePipe(m[2]) : undefined })
      } else if ((word === "break" || word === "continue") && rest === "") nodes.push({ type: word })
      else nodes.push({ type: "action", pipe: parsePipe(piece.text) })
    }
    if (closers.length > 0) throw new Error("unexpected EOF")
    return { nodes, end: "" }
  }

  const control = (type: "if" | "with" | "range", source: string): Node => {
    const pipe = parsePipe(source)
    const { nodes: body, end } = block(["end", "else"])
    if (end === "end") return { type, pipe, body, otherwise: [] }
    const more = /^else\s+(if|with)\s+([^]*)$/.exec(end)
    if (more) return { type, pipe, body, otherwise: [control(more[1] as "if" | "with", more[2]!)] }
    return { type, pipe, body, otherwise: block(["end"]).nodes }
  }

  const { nodes } = block([])
  return { nodes, defined }
}

function split(text: string): Piece[] {
  const pieces: Piece[] = []
  let at = 0
  let trimLeft = false
  for (;;) {
    const open = text.indexOf("{{", at)
    let plain = open < 0 ? text.slice(at) : text.slice(at, open)
    if (trimLeft) plain = plain.replace(/^[ \t\r\n]+/, "")
    if (open < 0) {
      pieces.push({ action: false, text: plain })
      return pieces
    }
    let from = open + 2
    if (/^-[ \t\r\n]/.test(text.slice(from, from + 2))) {
      plain = plain.replace(/[ \t\r\n]+$/, "")
      from += 2
    }
    pieces.push({ action: false, text: plain })
    const close = endOfAction(text, from)
    let inner = text.slice(from, close)
    trimLeft = /[ \t\r\n]-$/.test(inner)
    if (trimLeft) inner = inner.slice(0, -1)
    if (!/^\s*\/\*[^]*\*\/\s*$/.test(inner)) pieces.push({ action: true, text: inner.trim() })
    at = close + 2
  }
}

function endOfAction(text: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    const char = text[i]!
    if (char === '"' || char === "'" || char === "`") {
      for (i++; i < text.length && text[i] !== char; i++) if (char !== "`" && text[i] === "\\") i++
    } else if (text.startsWith("}}", i)) return i
  }
  throw new Error("unclosed action")
}

const tokenPattern =
  /\s*("(?:[^"\\]|\\.)*"|`[^`]*`|'(?:[^'\\]|\\.)'|:=|[()|,=]|\$[\w]*(?:\.[A-Za-z_]\w*)*|\.(?![\d])(?:[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)?|[-+]?(?:0[xX][\da-fA-F]+|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)|[A-Za-z_]\w*)/y

interface Token {
  readonly text: string
  /** No space stands before it. */
  readonly joined: boolean
}

function tokenize(source: string): Token[] {
  const tokens: Token[] = []
  tokenPattern.lastIndex = 0
  let at = 0
  while (/\S/.test(source.slice(at))) {
    tokenPattern.lastIndex = at
    const m = tokenPattern.exec(source)
    if (!m) throw new Error(`unexpected ${JSON.stringify(source.slice(at).trim()[0])} in operand`)
    tokens.push({ text: m[1]!, joined: m[0] === m[1] })
    at = tokenPattern.lastIndex
  }
  return tokens
}

function parsePipe(source: string): Pipe {
  const tokens = tokenize(source)
  let index = 0

  const operand = (): Expr => {
    const token = tokens[index++]!.text
    if (token === "(") {
      const base: Expr = { type: "pipe", pipe: pipe() }
      if (tokens[index++]?.text !== ")") throw new Error("unclosed left paren")
      const next = tokens[index]
      if (next?.joined && next.text.startsWith(".") && next.text.length > 1) {
        index++
        return { type: "chain", base, fields: next.text.slice(1).split(".") }
      }
      return base
    }
    if (token === ".") return { type: "dot" }
    if (token.startsWith(".")) return { type: "field", fields: token.slice(1).split(".") }
    if (token.startsWith("$")) {
      const [name, ...fields] = token.split(".")
      return { type: "variable", name: name!, fields }
    }
    if (token.startsWith('"')) return { type: "literal", value: JSON.parse(token) as string }
    if (token.startsWith("`")) return { type: "literal", value: token.slice(1, -1) }
    if (token.startsWith("'")) return { type: "literal", value: token.slice(1, -1).codePointAt(0) }
    if (/^[-+\d]/.test(token)) return { type: "literal", value: Number(token) }
    if (token === "true" || token === "false") return { type: "literal", value: token === "true" }
    if (token === "nil") return { type: "literal", value: null }
    if (/^[A-Za-z_]/.test(token)) return { type: "function", name: token }
    throw new Error(`unexpected ${token} in operand`)
  }

  const pipe = (): Pipe => {
    const variables: string[] = []
    let assign = false
    const start = index
    if (/^\$\w/.test(tokens[index]?.text ?? "")) {
      variables.push(tokens[index++]!.text)
      if (tokens[index]?.text === ",") {
        variables.push(tokens[index + 1]!.text)
        index += 2
      }
      const operator = tokens[index]?.text
      if (operator === ":=" || operator === "=") {
        assign = operator === "="
        index++
      } else {
        variables.length = 0
        index = start
      }
    }
    const commands: Expr[][] = []
    let words: Expr[] = []
    for (; index < tokens.length && tokens[index]!.text !== ")";) {
      if (tokens[index]!.text === "|") {
        index++
        commands.push(words)
        words = []
      } else words.push(operand())
    }
    commands.push(words)
    if (commands.some((one) => one.length === 0)) throw new Error("missing value for command")
    return { variables, assign, commands, source }
  }

  const out = pipe()
  if (index < tokens.length) throw new Error(`unexpected ${tokens[index]!.text} in command`)
  return out
}
