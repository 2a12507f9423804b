/** Values of errors as Kubernetes' internal Go types print them: by Go's field names, in Go's order. */

type Loose = Readonly<Record<string, unknown>>

/**
 * `value` with exactly the Go fields in `names`; what is absent is null, or "" for names in `texts`. A Go name is
 * the JSON name with a capital first letter; `seLinuxOptions` is `SELinuxOptions`.
 */
export function goStruct(
  value: object | undefined,
  names: readonly string[],
  texts: readonly string[] = [],
): unknown {
  if (value === undefined) return null
  const out: Record<string, unknown> = {}
  for (const name of names) {
    const json = name.replace(/^(API|SE)(?=[A-Z])|^./, (start) => start.toLowerCase())
    out[name] = goValue((value as Loose)[json]) ?? (texts.includes(name) ? "" : null)
  }
  return out
}

function goValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(goValue)
  if (typeof value !== "object" || value === null) return value
  const out: Record<string, unknown> = {}
  for (const [name, item] of Object.entries(value))
    out[name[0]!.toUpperCase() + name.slice(1)] = goValue(item)
  return out
}
