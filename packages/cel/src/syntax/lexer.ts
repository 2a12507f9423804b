/**
 * Takes an expression apart into tokens. One pass; what no token begins with is reported and skipped.
 * Mirrors: cel-go parser/gen/CEL.g4 (lexer rules)
 */

/** Kinds of token in the order in which messages list them. */
export const tokenKinds = [
  "'=='",
  "'!='",
  "'in'",
  "'<'",
  "'<='",
  "'>='",
  "'>'",
  "'&&'",
  "'||'",
  "'['",
  "']'",
  "'{'",
  "'}'",
  "'('",
  "')'",
  "'.'",
  "','",
  "'-'",
  "'!'",
  "'?'",
  "':'",
  "'+'",
  "'*'",
  "'/'",
  "'%'",
  "'true'",
  "'false'",
  "'null'",
  "NUM_FLOAT",
  "NUM_INT",
  "NUM_UINT",
  "STRING",
  "BYTES",
  "IDENTIFIER",
  "ESC_IDENTIFIER",
] as const

export type TokenKind = (typeof tokenKinds)[number] | "<EOF>"

export interface Token {
  readonly kind: TokenKind
  readonly text: string
  /** Where it begins in the text. */
  readonly start: number
}

const keywords: Readonly<Record<string, TokenKind>> = {
  in: "'in'",
  true: "'true'",
  false: "'false'",
  null: "'null'",
}
const space = /[\t \r\n\f]+|\/\/[^\n]*/y
const identifier = /[A-Za-z_][A-Za-z0-9_]*/y
const escaped = /`[A-Za-z0-9_.\-/ ]+`/y
const number = /0x[0-9a-fA-F]+[uU]?|[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|[0-9]+[uU]?/y
const symbol = /==|!=|<=|>=|&&|\|\||[<>[\]{}().,\-!?:+*/%]/y
const prefix = /[bB]?[rR]?/y

/** The tokens, the last one `<EOF>`; `problem` hears of what is none. */
export function tokens(
  text: string,
  problem: (start: number, message: string, end: number) => void,
): Token[] {
  const found: Token[] = []
  let at = 0
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    return pattern.exec(text)?.[0]
  }
  while (at < text.length) {
    const blank = match(space)
    if (blank !== undefined) {
      at += blank.length
      continue
    }
    const token = stringAt(text, at, match(prefix)!) ?? plain()
    if (token !== undefined) {
      found.push(token)
      at += token.text.length
      continue
    }
    const end = failure(text, at)
    const whole = String.fromCodePoint(...[text.codePointAt(end) ?? 0x20]).length
    problem(
      at,
      `token recognition error at: '${text.slice(at, end + whole)}'`,
      Math.min(end + whole, text.length),
    )
    at = end + whole
  }
  found.push({ kind: "<EOF>", text: "<EOF>", start: text.length })
  return found

  function plain(): Token | undefined {
    const word = match(identifier)
    if (word !== undefined)
      return { kind: Object.hasOwn(keywords, word) ? keywords[word]! : "IDENTIFIER", text: word, start: at }
    const digits = match(number)
    if (digits !== undefined) {
      const hex = digits.startsWith("0x")
      const kind = /[uU]$/.test(digits) ? "NUM_UINT" : !hex && /[.eE]/.test(digits) ? "NUM_FLOAT" : "NUM_INT"
      return { kind, text: digits, start: at }
    }
    const sign = match(symbol)
    if (sign !== undefined) return { kind: `'${sign}'` as TokenKind, text: sign, start: at }
    const quoted = match(escaped)
    return quoted === undefined ? undefined : { kind: "ESC_IDENTIFIER", text: quoted, start: at }
  }
}

/** Where reading breaks off: the character that no token can go on with. */
function failure(text: string, at: number): number {
  const first = text[at]!
  if (first === '"' || first === "'") return stringEnd(text, at, first, false).stop
  if (first === "`") {
    let end = at + 1
    while (end < text.length && /[A-Za-z0-9_.\-/ ]/.test(text[end]!)) end++
    return end
  }
  return first === "=" || first === "&" || first === "|" ? at + 1 : at
}

function stringAt(text: string, at: number, marks: string): Token | undefined {
  const quote = text[at + marks.length]
  if (quote !== '"' && quote !== "'") return undefined
  const raw = /[rR]$/.test(marks)
  const kind = /^[bB]/.test(marks) ? "BYTES" : "STRING"
  const begin = at + marks.length
  if (text.startsWith(quote.repeat(3), begin)) {
    const { end } = stringEnd(text, begin, quote.repeat(3), raw)
    if (end !== undefined) return { kind, text: text.slice(at, end), start: at }
  }
  const { end } = stringEnd(text, begin, quote, raw)
  return end === undefined ? undefined : { kind, text: text.slice(at, end), start: at }
}

const escapeSequence =
  /\\(?:[abfnrtv"'\\?`]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2})/y
const escapePart = /\\(?:[xX][0-9a-fA-F]?|u[0-9a-fA-F]{0,3}|U[0-9a-fA-F]{0,7}|[0-3][0-7]?)?/y

/** Past the closing quote, or where a string that does not close breaks off. */
function stringEnd(text: string, begin: number, quote: string, raw: boolean): { end?: number; stop: number } {
  const long = quote.length === 3
  let at = begin + quote.length
  while (at < text.length) {
    if (text.startsWith(quote, at)) return { end: at + quote.length, stop: at }
    const char = text[at]!
    if (!long && (char === "\n" || char === "\r")) return { stop: at }
    if (char !== "\\" || raw) {
      at++
      continue
    }
    escapeSequence.lastIndex = at
    const sequence = escapeSequence.exec(text)
    if (sequence === null) {
      escapePart.lastIndex = at
      return { stop: at + escapePart.exec(text)![0].length }
    }
    at += sequence[0].length
  }
  return { stop: text.length }
}
