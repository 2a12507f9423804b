/**
 * How the parser goes on after a syntax error, so that it says about it what cel-go's does: one token too many or too
 * few is passed over, else tokens are skipped until some rule that is under way can go on.
 * Mirrors: antlr4-go error_strategy.go, cel-go parser/parser.go (the limits)
 */
import { tokenKinds, type Token, type TokenKind } from "./lexer.ts"

/** A syntax error on its way to the rule that recovers from it. */
class SyntaxProblem {
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
}

/** Ends parsing at once; what was found stays reported. */
export class ParseStopped {
  /** Reported without a place, if any. */
  readonly message: string | undefined
  constructor(message?: string) {
    this.message = message
  }
}

/** What can come after a rule; `closed` when something must. */
export interface Follow {
  readonly kinds: readonly TokenKind[]
  readonly closed: boolean
}

const maxDepth = 250
const maxAttempts = 30
const maxSkipped = 256

const order = new Map(tokenKinds.map((kind, index): [TokenKind, number] => [kind, index]))

function listed(kinds: Iterable<TokenKind>): string {
  const sorted = [...new Set(kinds)].toSorted((a, b) => (order.get(a) ?? -1) - (order.get(b) ?? -1))
  return sorted.length === 1 ? sorted[0]! : `{${sorted.join(", ")}}`
}

/** The tokens, where the parser is in them, and which rules are under way. */
export class TokenStream {
  readonly #text: string
  readonly #tokens: readonly Token[]
  readonly #report: (start: number, message: string) => void
  readonly #garbage: ReadonlyMap<number, number>
  readonly #follows: Follow[] = []
  readonly #depths = new Map<string, number>()
  #at = 0
  #recovering = false
  #attempts = 0
  #lastErrorAt = -1
  #lastErrorRules = new Set<string>()

  /** `garbage`: where what is no token begins and ends. */
  constructor(
    text: string,
    tokens: readonly Token[],
    garbage: ReadonlyMap<number, number>,
    report: (start: number, message: string) => void,
  ) {
    this.#text = text
    this.#tokens = tokens
    this.#report = report
    this.#garbage = garbage
  }

  get next(): TokenKind {
    return this.#tokens[this.#at]!.kind
  }
  get token(): Token {
    return this.#tokens[this.#at]!
  }
  /** The token `distance` after the next. */
  ahead(distance: number): Token {
    return this.#tokens[Math.min(this.#at + distance, this.#tokens.length - 1)]!
  }

  /** A token that is known to be right. */
  take(): Token {
    this.#recovering = false
    this.#lastErrorAt = -1
    return this.#consume()
  }

  #consume(): Token {
    const token = this.#tokens[this.#at]!
    if (token.kind !== "<EOF>") this.#at++
    return token
  }

  /** Takes a token of the kind; `after` is what can follow it. Undefined when it was missing. */
  match(kind: TokenKind, after: readonly TokenKind[]): Token | undefined {
    if (this.next === kind) return this.take()
    this.#checkAttempts()
    if (this.#deleted([kind])) return this.#consume()
    if (kind !== "<EOF>" && after.includes(this.next)) {
      this.#complain(() => `missing ${kind} at '${this.token.text}'`)
      return undefined
    }
    throw new SyntaxProblem(this.#mismatch([kind]))
  }

  /** Makes sure, where the grammar divides, that the next token is one of those expected. */
  sync(expected: readonly TokenKind[]): void {
    if (this.#recovering || expected.includes(this.next) || this.#deleted(expected)) return
    throw new SyntaxProblem(this.#mismatch(expected))
  }

  /** The same at the end of a round of a loop that needs something after it. */
  syncLoop(expected: readonly TokenKind[]): void {
    if (this.#recovering || expected.includes(this.next)) return
    this.#unwanted(expected)
    this.#skip(new Set([...expected, ...this.#follows.flatMap(({ kinds }) => kinds)]))
  }

  /** No rule goes on as the next two tokens do. */
  noAlternative(): SyntaxProblem {
    const start = this.token
    const last = this.ahead(1)
    const end = last.kind === "<EOF>" ? this.#text.length : last.start + last.text.length
    let text = start.kind === "<EOF>" ? "<EOF>" : this.#text.slice(start.start, end)
    for (const [from, to] of [...this.#garbage].reverse()) {
      if (from >= start.start && to <= end)
        text = text.slice(0, from - start.start) + text.slice(to - start.start)
    }
    const shown = text.replaceAll("\t", "\\t").replaceAll("\n", "\\n").replaceAll("\r", "\\r")
    const reserved = /^.(true|false|null)$/.exec(shown)
    this.#problemAt = last.start
    return new SyntaxProblem(
      reserved === null
        ? `no viable alternative at input '${shown}'`
        : `mismatched input '${reserved[1]}' expecting IDENTIFIER`,
    )
  }
  #problemAt: number | undefined

  /** What can come after a finished operand here: operators, and what the rules under way wait for. */
  afterOperand(operators: readonly TokenKind[]): TokenKind[] {
    const kinds = [...operators]
    for (const follow of this.#follows.toReversed()) {
      kinds.push(...follow.kinds)
      if (follow.closed) break
    }
    return kinds
  }

  /**
   * Begins a rule. Its method then runs in `try`, gives what was thrown to {@link TokenStream.failed}, and calls
   * {@link TokenStream.end} at last. (A function that takes the body would double the depth of the stack.)
   */
  begin(name: string, follow: Follow): void {
    const depth = (this.#depths.get(name) ?? 0) + 1
    if (depth > maxDepth) throw new ParseStopped(`expression recursion limit exceeded: ${maxDepth}`)
    this.#depths.set(name, depth)
    this.#follows.push(follow)
  }

  /** Reports a syntax error in a rule and passes over it; throws all else again. */
  failed(name: string, error: unknown): void {
    if (!(error instanceof SyntaxProblem)) throw error
    this.#complain(() => error.message)
    this.#problemAt = undefined
    this.#recover(name)
  }

  end(name: string): void {
    this.#follows.pop()
    this.#depths.set(name, this.#depths.get(name)! - 1)
  }

  #recover(rule: string): void {
    this.#checkAttempts()
    if (this.#lastErrorAt === this.#at && this.#lastErrorRules.has(rule)) this.#consume()
    if (this.#lastErrorAt !== this.#at) this.#lastErrorRules = new Set()
    this.#lastErrorAt = this.#at
    this.#lastErrorRules.add(rule)
    this.#skip(new Set(this.#follows.flatMap(({ kinds }) => kinds)))
  }

  #skip(until: ReadonlySet<TokenKind>): void {
    for (let skipped = 0; this.next !== "<EOF>" && !until.has(this.next); skipped++) {
      if (skipped >= maxSkipped)
        throw new ParseStopped(`error recovery token lookahead limit exceeded: ${maxSkipped}`)
      this.#consume()
    }
  }

  #checkAttempts(): void {
    if (this.#attempts++ !== maxAttempts) return
    this.#report(this.token.start, `error recovery attempt limit exceeded: ${maxAttempts}`)
    throw new ParseStopped()
  }

  #deleted(expected: readonly TokenKind[]): boolean {
    if (!expected.includes(this.ahead(1).kind) || this.next === "<EOF>") return false
    this.#unwanted(expected)
    this.#consume()
    this.#recovering = false
    this.#lastErrorAt = -1
    return true
  }

  #unwanted(expected: readonly TokenKind[]): void {
    this.#complain(() => `extraneous input ${this.#shown()} expecting ${listed(expected)}`)
  }

  #mismatch(expected: readonly TokenKind[]): string {
    return `mismatched input ${this.#shown()} expecting ${listed(expected)}`
  }

  #shown(): string {
    return `'${this.token.text.replaceAll("\t", "\\t").replaceAll("\n", "\\n").replaceAll("\r", "\\r")}'`
  }

  #complain(message: () => string): void {
    if (this.#recovering) return
    this.#recovering = true
    this.#report(this.#problemAt ?? this.token.start, message())
  }
}
