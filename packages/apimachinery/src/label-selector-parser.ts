/** The grammar of label selectors, with upstream's errors. Mirrors: apimachinery pkg/labels/selector.go (Lexer, Parser) */
import { fieldErrorMessage, invalid } from "./field-error.ts"
import { compareBytes } from "./go-format.ts"
import type { LabelOperator, LabelRequirement } from "./label-requirement.ts"
import { isQualifiedName } from "./names.ts"

type TokenType =
  | "error"
  | "end"
  | "identifier"
  | ")"
  | ","
  | "!"
  | "=="
  | "="
  | ">"
  | "in"
  | "<"
  | "!="
  | "notin"
  | "("

interface Token {
  readonly type: TokenType
  readonly text: string
}

const operatorOfToken: Partial<Record<TokenType, LabelOperator>> = {
  in: "in",
  notin: "notin",
  "=": "=",
  "==": "==",
  "!=": "!=",
  ">": "gt",
  "<": "lt",
}

const symbols = new Set<string>([")", ",", "!", "==", "=", ">", "<", "!=", "("])

/** The longest known symbol; what follows it is read again. */
function scanSymbol(text: string, from: number): { token: Token; next: number } {
  let buffer = ""
  let found = ""
  let at = from
  for (; at < text.length && "=!(),><".includes(text[at]!); at++) {
    buffer += text[at]!
    if (symbols.has(buffer)) found = buffer
    else if (found !== "") break
  }
  if (found === "")
    return { token: { type: "error", text: `error expected: keyword found '${buffer}'` }, next: at }
  return { token: { type: found as TokenType, text: found }, next: at }
}

function scan(text: string): Token[] {
  const out: Token[] = []
  let at = 0
  while (at < text.length) {
    const char = text[at]!
    if (char === " " || char === "\t" || char === "\r" || char === "\n") at++
    else if (char === "\0") break
    else if ("=!(),><".includes(char)) {
      const { token, next } = scanSymbol(text, at)
      out.push(token)
      at = next
    } else {
      const word = /^[^=!(),><\s\0]+/.exec(text.slice(at))?.[0] ?? char
      out.push({ type: word === "in" || word === "notin" ? word : "identifier", text: word })
      at += word.length
    }
  }
  out.push({ type: "end", text: "" })
  return out
}

type Build = (key: string, operator: LabelOperator, values: readonly string[]) => LabelRequirement

class Parser {
  readonly #tokens: readonly Token[]
  readonly #build: Build
  #at = 0

  constructor(text: string, build: Build) {
    this.#tokens = scan(text)
    this.#build = build
  }

  parse(): LabelRequirement[] {
    const out: LabelRequirement[] = []
    for (;;) {
      const token = this.#peek()
      if (token.type === "end") return out
      if (token.type !== "identifier" && token.type !== "!")
        throw new Error(`found '${token.text}', expected: !, identifier, or 'end of string'`)
      try {
        out.push(this.#requirement())
      } catch (cause) {
        throw new Error(`unable to parse requirement: ${(cause as Error).message}`, { cause })
      }
      const after = this.#take()
      if (after.type === "end") return out
      if (after.type !== ",") throw new Error(`found '${after.text}', expected: ',' or 'end of string'`)
      const next = this.#peek()
      if (next.type !== "identifier" && next.type !== "!")
        throw new Error(`found '${next.text}', expected: identifier after ','`)
    }
  }

  /** The next token; where a key or value may be, `in` and `notin` are identifiers. */
  #peek(): Token {
    const token = this.#tokens[this.#at] ?? { type: "end", text: "" }
    return token.type === "in" || token.type === "notin" ? { type: "identifier", text: token.text } : token
  }

  #take(): Token {
    const token = this.#peek()
    this.#at++
    return token
  }

  #requirement(): LabelRequirement {
    let token = this.#take()
    const negated = token.type === "!"
    if (negated) token = this.#take()
    if (token.type !== "identifier") throw new Error(`found '${token.text}', expected: identifier`)
    const reasons = isQualifiedName(token.text)
    if (reasons.length > 0)
      throw new Error(fieldErrorMessage(invalid("<nil>", token.text, reasons.join("; "))))
    const key = token.text
    const next = this.#peek().type
    if (negated) return this.#build(key, "!", [])
    if (next === "end" || next === ",") return this.#build(key, "exists", [])
    const operator = this.#operator()
    const values = operator === "in" || operator === "notin" ? this.#values() : this.#exactValue()
    return this.#build(key, operator, [...values].sort(compareBytes))
  }

  #operator(): LabelOperator {
    const token = this.#tokens[this.#at++]!
    const operator = operatorOfToken[token.type]
    if (!operator) throw new Error(`found '${token.text}', expected: in, notin, =, ==, !=, gt, lt`)
    return operator
  }

  #values(): Set<string> {
    const open = this.#take()
    if (open.type !== "(") throw new Error(`found '${open.text}' expected: '('`)
    const first = this.#peek()
    switch (first.type) {
      case "identifier":
      case ",": {
        const values = this.#list()
        if (this.#take().type !== ")") throw new Error(`found '${first.text}', expected: ')'`)
        return values
      }
      case ")":
        this.#take()
        return new Set([""])
      default:
        throw new Error(`found '${first.text}', expected: ',', ')' or identifier`)
    }
  }

  #list(): Set<string> {
    const values = new Set<string>()
    for (;;) {
      const token = this.#take()
      if (token.type === "identifier") {
        values.add(token.text)
        const next = this.#peek()
        if (next.type === ")") return values
        if (next.type !== ",") throw new Error(`found '${next.text}', expected: ',' or ')'`)
      } else if (token.type === ",") {
        if (values.size === 0) values.add("")
        const next = this.#peek().type
        if (next === ")") return values.add("")
        if (next === ",") values.add("")
      } else {
        throw new Error(`found '${token.text}', expected: ',', or identifier`)
      }
    }
  }

  #exactValue(): Set<string> {
    const next = this.#peek().type
    if (next === "end" || next === ",") return new Set([""])
    const token = this.#take()
    if (token.type !== "identifier") throw new Error(`found '${token.text}', expected: identifier`)
    return new Set([token.text])
  }
}

/** The requirements in `text`, in its order, each made by `build`. Throws an Error with upstream's message. */
export function parseRequirements(text: string, build: Build): LabelRequirement[] {
  return new Parser(text, build).parse()
}
