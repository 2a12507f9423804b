/**
 * Names of properties as expressions can write them: `a.b` is `a__dot__b`, `namespace` is `__namespace__`.
 * Mirrors: apiserver pkg/cel/escaping.go
 */

const reserved = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(
    " ",
  ),
)

export const isReserved = (name: string): boolean => reserved.has(name)

const escapes: Readonly<Record<string, string>> = {
  __: "__underscores__",
  ".": "__dot__",
  "-": "__dash__",
  "/": "__slash__",
}
const unescapes: Readonly<Record<string, string>> = { underscores: "__", dot: ".", dash: "-", slash: "/" }

/** The escaped name, undefined when expressions cannot reach the property. */
export function escapeName(name: string): string | undefined {
  if (name === "" || /^\d/.test(name)) return undefined
  if (reserved.has(name)) return `__${name}__`
  if (!/^[A-Za-z0-9_.\-/]+$/.test(name)) return undefined
  return name.replace(/__|[-./]/g, (part) => escapes[part]!)
}

/** The property's own name, undefined of what is no escaped name. */
export function unescapeName(name: string): string | undefined {
  if (!name.includes("__")) return name
  let ok = true
  const plain = name.replace(/__[^_]+__/g, (part) => {
    const inner = part.slice(2, -2)
    const char = Object.hasOwn(unescapes, inner) ? unescapes[inner] : undefined
    if (char !== undefined) return char
    if (reserved.has(inner)) {
      if (part.length !== name.length) ok = false
      return inner
    }
    ok = false
    return ""
  })
  return ok ? plain : undefined
}
