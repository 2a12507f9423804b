/** JSON text to values, with the error messages of Go's decoder. Mirrors: encoding/json scanner.go */

/**
 * `JSON.parse`, but a text that is no JSON throws a SyntaxError with Go's message. What others send is read with this and
 * never with `JSON.parse`, which such a text can break: see {@link nativeDepth}.
 */
export function parseJson(text: string): unknown {
  const problem = isDeep(text) ? syntaxProblem(text) : undefined
  if (problem !== undefined) throw new SyntaxError(problem)
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new SyntaxError(goSyntaxError(text), { cause })
  }
}

/** How deep values may lie in one another; Go's decoder reads no deeper. */
const maxDepth = 10_000

/**
 * How deep a text may be that has not been checked. V8 14 reads JSON by recursion, and what is deeper than the stack is
 * high (6,000 brackets and more) with a list of its own. When that meets an error it gives its handles back in the wrong
 * order, and takes those of its callers along: the process dies sooner or later. A text without an error is read well.
 */
const nativeDepth = 3_000

function tooDeep(opening: string): string {
  return `invalid character '${opening}' exceeded max depth`
}

/** Whether brackets lie deeper than {@link nativeDepth} before the text's first error. */
function isDeep(text: string): boolean {
  // Counting is far cheaper than looking at each character, and enough for nearly all.
  if (text.length <= nativeDepth || !hasManyBrackets(text)) return false
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) {
      for (at++; at < text.length && text.charCodeAt(at) !== 0x22; at++)
        if (text.charCodeAt(at) === 0x5c) at++
    } else if (code === 0x7b || code === 0x5b) {
      if (++depth > nativeDepth) return true
    } else if (code === 0x7d || code === 0x5d) depth--
  }
  return false
}

function hasManyBrackets(text: string): boolean {
  let count = 0
  for (const bracket of "{[")
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1))
      if (++count > nativeDepth) return true
  return false
}

const endOfInput = "unexpected end of JSON input"

/** The first number of a JSON text that no float64 holds, as it is written; undefined when there is none. */
export function unboundedNumber(text: string): string | undefined {
  return /\d{308}|[eE]\+?\d{3}/.test(text) ? numberText(text, (value) => !Number.isFinite(value)) : undefined
}

/** How the first number that fits is written in a JSON text. */
export function numberText(text: string, fits: (value: number) => boolean): string | undefined {
  const scanner = new Scanner(text, fits)
  scanner.document()
  return scanner.found
}

class Problem extends Error {}

class Scanner {
  readonly #text: string
  readonly #fits: ((value: number) => boolean) | undefined
  #at = 0
  /** The first number that fits. */
  found: string | undefined

  constructor(text: string, fits?: (value: number) => boolean) {
    this.#text = text
    this.#fits = fits
  }

  document(): void {
    this.#value()
    this.#space()
    if (this.#at < this.#text.length) this.#bad("after top-level value")
  }

  #space(): void {
    while (" \t\r\n".includes(this.#text[this.#at] ?? "x")) this.#at++
  }

  #bad(context: string): never {
    const char = this.#text.codePointAt(this.#at)
    if (char === undefined) {
      // Go's scanner ends a number or literal with a space of its own.
      const inWord = /numeric literal|^in literal/.test(context)
      throw new Problem(inWord ? `invalid character ' ' ${context}` : endOfInput)
    }
    throw new Problem(`invalid character ${quoteChar(char)} ${context}`)
  }

  /** A value with all that lies in it: brackets that are open are on a list, so that depth costs no stack. */
  #value(): void {
    const open: ("{" | "[")[] = []
    for (;;) {
      this.#space()
      const char = this.#text[this.#at]
      if (char === "{" || char === "[") {
        open.push(char)
        if (open.length > maxDepth) throw new Problem(tooDeep(char))
        this.#at++
        this.#space()
        if (this.#text[this.#at] !== (char === "{" ? "}" : "]")) {
          if (char === "{") this.#key()
          continue
        }
      } else this.#scalar(char)
      if (this.#closed(open)) return
    }
  }

  /** After a value: closes what ends here. True when nothing is open any more; else another value comes. */
  #closed(open: ("{" | "[")[]): boolean {
    for (;;) {
      const inside = open[open.length - 1]
      if (inside === undefined) return true
      this.#space()
      const char = this.#text[this.#at]
      if (char === ",") {
        this.#at++
        if (inside === "[") return false
        this.#space()
        this.#key()
        return false
      }
      if (char !== (inside === "{" ? "}" : "]"))
        this.#bad(inside === "{" ? "after object key:value pair" : "after array element")
      this.#at++
      open.pop()
    }
  }

  #key(): void {
    if (this.#text[this.#at] !== '"') this.#bad("looking for beginning of object key string")
    this.#string()
    this.#space()
    if (this.#text[this.#at] !== ":") this.#bad("after object key")
    this.#at++
  }

  #scalar(char: string | undefined): void {
    if (char === undefined) this.#bad("")
    if (char === '"') this.#string()
    else if (char === "t") this.#literal("true")
    else if (char === "f") this.#literal("false")
    else if (char === "n") this.#literal("null")
    else if (char === "-" || (char >= "0" && char <= "9")) this.#number()
    else this.#bad("looking for beginning of value")
  }

  #string(): void {
    this.#at++
    for (;;) {
      const char = this.#text[this.#at]
      if (char === undefined || char < " ") this.#bad("in string literal")
      this.#at++
      if (char === '"') return
      if (char !== "\\") continue
      const escape = this.#text[this.#at] ?? "\0"
      if (escape === "u") {
        this.#at++
        for (let i = 0; i < 4; i++) {
          if (!/[0-9a-fA-F]/.test(this.#text[this.#at] ?? ""))
            this.#bad("in \\u hexadecimal character escape")
          this.#at++
        }
      } else if ('bfnrt\\/"'.includes(escape)) this.#at++
      else this.#bad("in string escape code")
    }
  }

  #literal(word: string): void {
    for (let i = 0; i < word.length; i++) {
      if (this.#text[this.#at] !== word[i])
        this.#bad(`in literal ${word} (expecting ${quoteChar(word.charCodeAt(i))})`)
      this.#at++
    }
  }

  #digits(): boolean {
    const from = this.#at
    while (/\d/.test(this.#text[this.#at] ?? "")) this.#at++
    return this.#at > from
  }

  #number(): void {
    const from = this.#at
    this.#numeral()
    if (!this.#fits || this.found !== undefined) return
    const text = this.#text.slice(from, this.#at)
    if (this.#fits(Number(text))) this.found = text
  }

  #numeral(): void {
    if (this.#text[this.#at] === "-") this.#at++
    if (this.#text[this.#at] === "0") this.#at++
    else if (!this.#digits()) this.#bad("in numeric literal")
    if (this.#text[this.#at] === ".") {
      this.#at++
      if (!this.#digits()) this.#bad("after decimal point in numeric literal")
    }
    if (/[eE]/.test(this.#text[this.#at] ?? "")) {
      this.#at++
      if (/[+-]/.test(this.#text[this.#at] ?? "")) this.#at++
      if (!this.#digits()) this.#bad("in exponent of numeric literal")
    }
  }
}

/** Go's scanner sees bytes: a character beyond ASCII is shown by its first byte. */
function quoteChar(code: number): string {
  if (code === 0x27) return `'\\''`
  if (code === 0x22) return `'"'`
  if (code >= 0x80) {
    const first = new TextEncoder().encode(String.fromCodePoint(code))[0]!
    return `'${String.fromCharCode(first)}'`
  }
  if (code === 0x0a) return "'\\n'"
  if (code === 0x0d) return "'\\r'"
  if (code === 0x09) return "'\\t'"
  if (code < 0x20 || code === 0x7f) return `'\\x${code.toString(16).padStart(2, "0")}'`
  return code === 0x5c ? "'\\\\'" : `'${String.fromCharCode(code)}'`
}

/** What Go says of a text that is no JSON. */
export function goSyntaxError(text: string): string {
  return syntaxProblem(text) ?? endOfInput
}

function syntaxProblem(text: string): string | undefined {
  try {
    new Scanner(text).document()
  } catch (thrown) {
    if (thrown instanceof Problem) return thrown.message
    throw thrown
  }
  return undefined
}
