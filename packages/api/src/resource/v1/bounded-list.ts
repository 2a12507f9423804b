/** Lists with a most of items and, some, with items of their own. Mirrors: pkg/apis/resource/validation/validation.go */
import { field, inGoOrder, schemaOf } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"

/**
 * Problems in two parts: what is found by hand comes first, and what the types themselves declare comes after all
 * of it.
 */
export interface Problems {
  readonly found: FieldError[]
  readonly declared: FieldError[]
}

export function noProblems(): Problems {
  return { found: [], declared: [] }
}

export function allProblems({ found, declared }: Problems): FieldError[] {
  return [...found, ...declared]
}

/** Looks at every item, or says that there are too many. `key` is what is different in each, `type` the schema of all. */
export function eachOf<T>(
  problems: Problems,
  path: string,
  items: readonly T[] | undefined,
  most: number,
  validate: (item: T, path: string) => void,
  key?: (item: T) => string,
  type?: string,
): void {
  const list = items ?? []
  if (list.length > most) {
    problems.declared.push(field.tooMany(path, list.length, most))
    return
  }
  for (const [i, item] of list.entries()) validate(item, `${path}[${i}]`)
  if (!key) return
  const seen = new Set<string>()
  for (const [i, item] of list.entries()) {
    const own = key(item)
    if (seen.has(own))
      problems.declared.push(field.duplicate(`${path}[${i}]`, type ? inGoOrder(schemaOf(type), item) : item))
    seen.add(own)
  }
}
