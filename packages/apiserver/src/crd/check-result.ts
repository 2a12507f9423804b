/** What a check of a value against a schema found. Mirrors: kube-openapi pkg/validation/validate/result.go, errors/schema.go */
import { field, type FieldError } from "@knarr/apimachinery"

/** How many problems of one object are told, and how long their texts may be together: beyond, one more tells nobody anything. */
export const maxProblems = 1000
const maxTextLength = 1024 * 1024

/** One problem. Problems with the same text are told once. */
export interface Problem {
  readonly text: string
  /** As the API says it; `base` is the path of the checked value. */
  toFieldError(base: string): FieldError
}

/** Problems, and how much was right: of several alternatives the one with the most matches is told. */
export class CheckResult {
  readonly #texts = new Set<string>()
  readonly problems: Problem[] = []
  matches = 0
  #textLength = 0

  get valid(): boolean {
    return this.problems.length === 0
  }

  /** Whether so much is wrong that nothing more is told: the rest need not be looked at. */
  get full(): boolean {
    return this.problems.length >= maxProblems || this.#textLength >= maxTextLength
  }

  add(problem: Problem | undefined): void {
    if (!problem || this.full || this.#texts.has(problem.text)) return
    this.#texts.add(problem.text)
    this.#textLength += problem.text.length
    this.problems.push(problem)
  }

  merge(other: CheckResult): void {
    for (const problem of other.problems) this.add(problem)
    this.matches += other.matches
  }

  /** As valid: the value is as it was before. */
  forgiven(): CheckResult {
    const out = new CheckResult()
    out.matches = this.matches
    return out
  }
}

/** The path of a problem at `path`, which may begin with a dot, below `base`. */
function placeOf(base: string, path: string): string {
  const own = path.startsWith(".") ? path.slice(1) : path
  if (own === "") return base === "" ? "<nil>" : base
  return base === "" ? own : `${base}.${own}`
}

/** A problem of a whole: its place is only in its text. */
export function overall(text: string): Problem {
  return { text, toFieldError: (base) => field.invalid(placeOf(base, ""), "", text) }
}

export function wrongType(path: string, type: string, found: string): Problem {
  const text = `${path} in body must be of type ${type}: ${JSON.stringify(found)}`
  return { text, toFieldError: (base) => field.typeInvalid(placeOf(base, path), found, text) }
}

export function missing(path: string): Problem {
  return {
    text: `${path} in body is required`,
    toFieldError: (base) => field.required(placeOf(base, path), ""),
  }
}

/** `texts` are the allowed values, and `list` all of them in one text. */
export function notInEnum(path: string, value: unknown, texts: readonly string[], list: string): Problem {
  return {
    text: `${path} in body should be one of [${list}]`,
    toFieldError: (base) => field.notSupported(placeOf(base, path), value ?? null, texts),
  }
}

export function tooLong(path: string, max: number): Problem {
  return {
    text: `${path} in body should be at most ${max} chars long`,
    toFieldError: (base) => field.tooLong(placeOf(base, path), "", max),
  }
}

export function tooMany(path: string, actual: number, max: number, what: "items" | "properties"): Problem {
  return {
    text: `${path} in body should have at most ${max} ${what}`,
    toFieldError: (base) => field.tooMany(placeOf(base, path), actual, max),
  }
}

/** Any other. */
export function told(path: string, value: unknown, text: string): Problem {
  return { text, toFieldError: (base) => field.invalid(placeOf(base, path), value ?? "", text) }
}

/** `what` follows the path: `should be at least 3 chars long`. */
export function unfit(path: string, value: unknown, what: string): Problem {
  return told(path, value, `${path} in body ${what}`)
}
