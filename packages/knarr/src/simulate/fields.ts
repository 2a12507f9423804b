/** Reads parsed YAML field by field; what is wrong is told with its path. */
import { parseQuantity } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"

/** What a scenario's author has to mend. */
export class ScenarioError extends Error {
  constructor(path: string, problem: string) {
    super(path === "" ? problem : `${path}: ${problem}`)
    this.name = "ScenarioError"
  }
}

/** A value and where it is. */
export class Fields {
  readonly value: unknown
  readonly path: string

  private constructor(value: unknown, path: string) {
    this.value = value
    this.path = path
  }

  static of(value: unknown, path: string): Fields {
    return new Fields(value, path)
  }

  /** Refuses fields of other names. */
  only(...names: readonly string[]): void {
    for (const name of Object.keys(this.map().value as object)) {
      if (names.includes(name)) continue
      this.#fail(`unknown field "${name}"; there are ${names.join(", ")}`)
    }
  }

  has(name: string): boolean {
    return (this.value as Record<string, unknown>)[name] !== undefined
  }

  required<T>(name: string, read: (field: Fields) => T): T {
    const found = this.optional(name, read)
    if (found === undefined) return this.#fail(`needs the field "${name}"`)
    return found
  }

  optional<T>(name: string, read: (field: Fields) => T): T | undefined {
    const value = (this.map().value as Record<string, unknown>)[name]
    if (value === undefined || value === null) return undefined
    return read(new Fields(value, this.path === "" ? name : `${this.path}.${name}`))
  }

  each<T>(read: (field: Fields) => T): T[] {
    if (!Array.isArray(this.value)) return this.#fail("must be a list")
    return this.value.map((one: unknown, i) => read(new Fields(one, `${this.path}[${i}]`)))
  }

  map(): Fields {
    if (typeof this.value !== "object" || this.value === null || Array.isArray(this.value))
      this.#fail("must be a map of fields")
    return this
  }

  text(): string {
    if (typeof this.value !== "string" || this.value === "") return this.#fail("must be a text")
    return this.value
  }

  /** A text, a number or a boolean, as text. */
  scalar(): string {
    const { value } = this
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean")
      return this.#fail("must be a text, a number or a boolean")
    return String(value)
  }

  texts(): Record<string, string> {
    const map = this.map().value as Record<string, unknown>
    return Object.fromEntries(
      Object.entries(map).map(([key, value]) => [key, new Fields(value, `${this.path}.${key}`).scalar()]),
    )
  }

  boolean(): boolean {
    if (typeof this.value !== "boolean") return this.#fail("must be true or false")
    return this.value
  }

  integer(least: number, most: number): number {
    const { value } = this
    if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > most)
      return this.#fail(`must be a whole number from ${least} to ${most}`)
    return value
  }

  quantity(): number {
    const number = new Fields(this.scalar(), this.path).parsed((text) => parseQuantity(text).asNumber())
    return number < 0 ? this.#fail("must not be negative") : number
  }

  oneOf(only: string | boolean): void {
    if (this.value !== only) this.#fail(`must be ${only}`)
  }

  parsed<T>(parse: (text: string) => T): T {
    const text = this.text()
    try {
      return parse(text)
    } catch (thrown) {
      return this.#fail(messageOf(thrown))
    }
  }

  #fail(problem: string): never {
    throw new ScenarioError(this.path, problem)
  }
}
