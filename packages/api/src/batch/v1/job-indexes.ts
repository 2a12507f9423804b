/** Lists of completion indexes such as `1,3-5,7`. Mirrors: pkg/apis/batch/validation/validation.go (validateIndexesFormat) */
import { goQuote } from "@knarr/apimachinery"

/** First and last index of an interval, or what is wrong with it. */
function readInterval(text: string, completions: number): readonly [number, number] | string {
  const ends = text.split("-")
  if (ends.length > 2)
    return `the fragment ${goQuote(text)} violates the requirement that an index interval can have at most two parts separated by '-'`
  const numbers: number[] = []
  for (const end of ends) {
    if (!/^[+-]?\d{1,18}$/.test(end)) return `cannot convert string to integer for index: ${goQuote(end)}`
    if (Number(end) >= completions) return `too large index: ${goQuote(end)}`
    numbers.push(Number(end))
  }
  const [first, last] = numbers as [number, number | undefined]
  if (last !== undefined && first >= last) return `non-increasing order, previous: ${first}, current: ${last}`
  return [first, last ?? first]
}

/** How many indexes below `completions` the list names, or what is wrong with it. */
export function readIndexes(text: string, completions: number): number | string {
  if (text === "") return 0
  let total = 0
  let before: number | undefined
  for (const part of text.split(",")) {
    const interval = readInterval(part, completions)
    if (typeof interval === "string") return interval
    const [first, last] = interval
    if (before !== undefined && before >= first)
      return `non-increasing order, previous: ${before}, current: ${first}`
    total += last - first + 1
    before = last
  }
  return total
}

/** The first index that is in both lists; what cannot be read is passed over. */
export function firstOverlap(a: string, b: string, completions: number): number | undefined {
  if (a === "" || b === "") return undefined
  const intervals = (text: string): (readonly [number, number])[] =>
    text
      .split(",")
      .map((part) => readInterval(part, completions))
      .filter((interval) => typeof interval !== "string")
  const left = intervals(a)
  const right = intervals(b)
  let i = 0
  let j = 0
  while (i < left.length && j < right.length) {
    const [x, y] = left[i]!
    const [v, w] = right[j]!
    if (x <= w && v <= y) return Math.max(x, v)
    if (x <= v) i++
    else j++
  }
  return undefined
}
