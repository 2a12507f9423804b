/** Makes an input that breaks a contract smaller while it still does. */

/** Ways to make a JSON value smaller, the boldest first. */
function* smaller(value: unknown): Generator<unknown> {
  if (typeof value === "string") {
    for (const size of sizes(value.length))
      for (let at = 0; at < value.length; at += size) yield value.slice(0, at) + value.slice(at + size)
    if (value.length <= 40)
      for (let i = 0; i < value.length; i++)
        if (!/[a0]/.test(value[i]!)) yield `${value.slice(0, i)}a${value.slice(i + 1)}`
  } else if (typeof value === "number") {
    if (value !== 0) yield 0
    if (Math.abs(value) > 1) yield Math.trunc(value / 2)
  } else if (Array.isArray(value)) {
    for (const size of sizes(value.length))
      for (let at = 0; at < value.length; at += size) yield value.toSpliced(at, size) as unknown[]
    for (const [i, item] of value.entries())
      for (const less of smaller(item)) yield value.with(i, less) as unknown[]
  } else if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value)
    for (const size of sizes(entries.length))
      for (let at = 0; at < entries.length; at += size) yield Object.fromEntries(entries.toSpliced(at, size))
    for (const [i, [key, item]] of entries.entries())
      for (const less of smaller(item)) yield Object.fromEntries(entries.with(i, [key, less]))
  }
}

function sizes(length: number): number[] {
  const out: number[] = []
  for (let size = length; size > 0; size = Math.floor(size / 2)) out.push(size)
  return out
}

/** The smallest input found in at most `attempts` tries for which `breaks` holds. */
export async function shrink(
  input: unknown,
  breaks: (input: unknown) => Promise<boolean>,
  attempts: number,
): Promise<unknown> {
  let best = input
  let left = attempts
  for (let found = true; found && left > 0;) {
    found = false
    for (const candidate of smaller(best)) {
      if (left-- <= 0) break
      if (!(await breaks(candidate))) continue
      best = candidate
      found = true
      break
    }
  }
  return best
}
