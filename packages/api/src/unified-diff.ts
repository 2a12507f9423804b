/** Differences of texts by lines, as Python's difflib finds and prints them. Mirrors: github.com/pmezard/go-difflib */
import { goValue } from "./go-value.ts"

/** Lines around a difference. */
const context = 3
/** In longer texts, lines that are found too often are no anchors. */
const popularFrom = 200

/** What changed between two values of a Go type, each printed as JSON with one space of indent. */
export function goDiff(type: string, before: unknown, after: unknown): string {
  const text = (value: unknown): string => escaped(JSON.stringify(goValue(type, value), undefined, 1))
  return unifiedDiff(text(before).split("\n"), text(after).split("\n"))
}

/** Go writes these characters so that HTML may hold them. */
function escaped(text: string): string {
  return text.replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  )
}

/** A row of equal lines: where it begins in both texts, and its length. */
interface Match {
  readonly a: number
  readonly b: number
  readonly size: number
}

/** Both texts from one place to another: equal, or not. */
interface Step {
  readonly equal: boolean
  readonly a: readonly [number, number]
  readonly b: readonly [number, number]
}

export function unifiedDiff(a: readonly string[], b: readonly string[]): string {
  let out = ""
  for (const group of grouped(stepsOf(a, b))) {
    const first = group[0]!
    const last = group.at(-1)!
    out += `@@ -${range(first.a[0], last.a[1])} +${range(first.b[0], last.b[1])} @@\n`
    for (const { equal, a: left, b: right } of group) {
      const write = (mark: string, lines: readonly string[]): void => {
        for (const line of lines) out += `${mark}${line}\n`
      }
      if (equal) write(" ", a.slice(...left))
      else {
        write("-", a.slice(...left))
        write("+", b.slice(...right))
      }
    }
  }
  return out
}

function range(from: number, to: number): string {
  const length = to - from
  if (length === 1) return String(from + 1)
  return `${length === 0 ? from : from + 1},${length}`
}

function stepsOf(a: readonly string[], b: readonly string[]): Step[] {
  const steps: Step[] = []
  let i = 0
  let j = 0
  for (const { a: left, b: right, size } of [...matchesOf(a, b), { a: a.length, b: b.length, size: 0 }]) {
    if (i < left || j < right) steps.push({ equal: false, a: [i, left], b: [j, right] })
    i = left + size
    j = right + size
    if (size > 0) steps.push({ equal: true, a: [left, i], b: [right, j] })
  }
  return steps
}

/** The rows of equal lines in order, the longest first found and then what is before and after it. */
function matchesOf(a: readonly string[], b: readonly string[]): Match[] {
  const places = new Map<string, number[]>()
  for (const [j, line] of b.entries()) {
    const list = places.get(line)
    if (list) list.push(j)
    else places.set(line, [j])
  }
  if (b.length >= popularFrom) {
    const most = Math.floor(b.length / 100) + 1
    for (const [line, list] of places) if (list.length > most) places.delete(line)
  }
  const found: Match[] = []
  const left: [number, number, number, number][] = [[0, a.length, 0, b.length]]
  for (let part = left.pop(); part; part = left.pop()) {
    const [fromA, toA, fromB, toB] = part
    const match = longest(a, b, places, part)
    if (match.size === 0) continue
    found.push(match)
    if (fromA < match.a && fromB < match.b) left.push([fromA, match.a, fromB, match.b])
    if (match.a + match.size < toA && match.b + match.size < toB)
      left.push([match.a + match.size, toA, match.b + match.size, toB])
  }
  found.sort((x, y) => x.a - y.a || x.b - y.b)
  const joined: Match[] = []
  for (const match of found) {
    const last = joined.at(-1)
    if (last && last.a + last.size === match.a && last.b + last.size === match.b)
      joined[joined.length - 1] = { ...last, size: last.size + match.size }
    else joined.push(match)
  }
  return joined
}

function longest(
  a: readonly string[],
  b: readonly string[],
  places: ReadonlyMap<string, readonly number[]>,
  [fromA, toA, fromB, toB]: readonly [number, number, number, number],
): Match {
  let best = { a: fromA, b: fromB, size: 0 }
  let lengths = new Map<number, number>()
  for (let i = fromA; i < toA; i++) {
    const next = new Map<number, number>()
    for (const j of places.get(a[i]!) ?? []) {
      if (j < fromB) continue
      if (j >= toB) break
      const size = (lengths.get(j - 1) ?? 0) + 1
      next.set(j, size)
      if (size > best.size) best = { a: i - size + 1, b: j - size + 1, size }
    }
    lengths = next
  }
  // Lines that are no anchors belong to it, too.
  let { a: i, b: j, size } = best
  while (i > fromA && j > fromB && a[i - 1] === b[j - 1]) {
    i--
    j--
    size++
  }
  while (i + size < toA && j + size < toB && a[i + size] === b[j + size]) size++
  return { a: i, b: j, size }
}

/** Steps with a few equal lines around them; what is between is left out. */
function grouped(steps: readonly Step[]): Step[][] {
  const list = steps.map((step, at): Step => {
    if (!step.equal) return step
    const [i, iEnd] = step.a
    const [j, jEnd] = step.b
    if (at === 0)
      return { equal: true, a: [Math.max(i, iEnd - context), iEnd], b: [Math.max(j, jEnd - context), jEnd] }
    if (at === steps.length - 1)
      return { equal: true, a: [i, Math.min(iEnd, i + context)], b: [j, Math.min(jEnd, j + context)] }
    return step
  })
  const groups: Step[][] = []
  let group: Step[] = []
  for (const step of list) {
    const [i, iEnd] = step.a
    const [j, jEnd] = step.b
    if (step.equal && iEnd - i > 2 * context) {
      group.push({ equal: true, a: [i, i + context], b: [j, j + context] })
      groups.push(group)
      group = [{ equal: true, a: [iEnd - context, iEnd], b: [jEnd - context, jEnd] }]
    } else group.push(step)
  }
  if (group.length > 0 && !(group.length === 1 && group[0]!.equal)) groups.push(group)
  return groups
}
