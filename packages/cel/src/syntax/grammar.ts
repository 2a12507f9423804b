/** The grammar's tables: with what parts begin and by what they are followed. Mirrors: cel-go parser/gen/CEL.g4 */
import { operators } from "./ast.ts"
import type { TokenKind } from "./lexer.ts"
import type { Follow } from "./recovery.ts"

/** What an operand can begin with. */
export const operand: readonly TokenKind[] = [
  "'['",
  "'{'",
  "'('",
  "'.'",
  "'-'",
  "'!'",
  "'true'",
  "'false'",
  "'null'",
  "NUM_FLOAT",
  "NUM_INT",
  "NUM_UINT",
  "STRING",
  "BYTES",
  "IDENTIFIER",
]
/** What a literal begins with. */
export const literals: readonly TokenKind[] = [
  "'-'",
  "'true'",
  "'false'",
  "'null'",
  "NUM_FLOAT",
  "NUM_INT",
  "NUM_UINT",
  "STRING",
  "BYTES",
]
/** The same after `!`. */
export const memberStart: readonly TokenKind[] = operand.filter((kind) => kind !== "'!'")
export const comparisons: readonly TokenKind[] = ["'=='", "'!='", "'in'", "'<'", "'<='", "'>='", "'>'"]
export const factors: readonly TokenKind[] = ["'*'", "'/'", "'%'"]
export const sums: readonly TokenKind[] = ["'+'", "'-'"]
export const parts: readonly TokenKind[] = ["'.'", "'['"]
/** What can follow a finished operand. */
export const afterMember: readonly TokenKind[] = [
  ...parts,
  ...factors,
  ...sums,
  ...comparisons,
  "'&&'",
  "'||'",
  "'?'",
]

const open = (...kinds: TokenKind[]): Follow => ({ kinds, closed: false })
const closed = (...kinds: TokenKind[]): Follow => ({ kinds, closed: true })
type FollowName =
  | "none"
  | "end"
  | "question"
  | "colon"
  | "or"
  | "and"
  | "comparison"
  | "calculation"
  | "part"
  | "comma"
  | "closing"
  | "bracket"
  | "list"
  | "map"

/** What can come after each place where a rule is used. */
export const follows: Readonly<Record<FollowName, Follow>> = {
  none: open(),
  end: closed("<EOF>"),
  question: open("'?'"),
  colon: closed("':'"),
  or: open("'||'"),
  and: open("'&&'"),
  comparison: open(...comparisons),
  calculation: open(...factors, ...sums),
  part: open(...parts),
  comma: open("','"),
  closing: closed("')'"),
  bracket: closed("']'"),
  list: closed("','", "']'"),
  map: closed("','", "'}'"),
}

/** Functions of the operators. */
export const operatorNames: Readonly<Partial<Record<TokenKind, string>>> = {
  "'=='": operators.equals,
  "'!='": operators.notEquals,
  "'in'": operators.in,
  "'<'": operators.less,
  "'<='": operators.lessEquals,
  "'>='": operators.greaterEquals,
  "'>'": operators.greater,
  "'+'": operators.add,
  "'-'": operators.subtract,
  "'*'": operators.multiply,
  "'/'": operators.divide,
  "'%'": operators.modulo,
}
/** Names that no variable can have. */
export const reservedNames: ReadonlySet<string> = new Set(
  "as break const continue else false for function if import in let loop package namespace null return true var void while".split(
    " ",
  ),
)
