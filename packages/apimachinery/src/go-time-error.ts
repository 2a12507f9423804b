/** What Go's time.Parse says of a text that is no RFC 3339 time. Mirrors: Go time/format.go */
import { goQuote } from "./go-format.ts"

interface Element {
  /** The part of the layout, as messages show it. */
  readonly layout: string
  readonly pattern: RegExp
  inRange?(text: string): boolean
  readonly rangeName?: string
}

const elements: readonly (Element | string)[] = [
  { layout: "2006", pattern: /^\d{4}/ },
  "-",
  { layout: "01", pattern: /^\d\d/, inRange: (t) => +t >= 1 && +t <= 12, rangeName: "month" },
  "-",
  { layout: "02", pattern: /^\d\d/, inRange: (t) => +t >= 1 && +t <= 31, rangeName: "day" },
  "T",
  { layout: "15", pattern: /^\d\d?/, inRange: (t) => +t < 24, rangeName: "hour" },
  ":",
  { layout: "04", pattern: /^\d\d/, inRange: (t) => +t < 60, rangeName: "minute" },
  ":",
  { layout: "05", pattern: /^\d\d/, inRange: (t) => +t < 60, rangeName: "second" },
]

/** The message for `text`; `layout` is the one that upstream's type parses with. */
export function goTimeError(text: string, layout: string): string {
  const head = `parsing time ${goQuote(text)}`
  const cannot = (rest: string, part: string): string =>
    `${head} as ${goQuote(layout)}: cannot parse ${goQuote(rest)} as ${goQuote(part)}`
  let rest = text
  for (const element of elements) {
    if (typeof element === "string") {
      if (!rest.startsWith(element)) return cannot(rest, element)
      rest = rest.slice(1)
      continue
    }
    const found = element.pattern.exec(rest)?.[0]
    if (found === undefined) return cannot(rest, element.layout)
    if (element.inRange && !element.inRange(found)) return `${head}: ${element.rangeName} out of range`
    rest = rest.slice(found.length)
  }
  const digits = /\.0+/.exec(layout)?.[0]
  if (digits === undefined) rest = rest.replace(/^[.,]\d+/, "")
  else {
    const fraction = rest.slice(0, digits.length)
    if (fraction.length < digits.length || !/^[.,]\d+$/.test(fraction)) return cannot(rest, digits)
    rest = rest.slice(digits.length)
  }
  const zone = /^(?:Z|[+-]\d\d:\d\d)/.exec(rest)?.[0]
  if (zone === undefined) return cannot(rest, "Z07:00")
  rest = rest.slice(zone.length)
  if (rest !== "") return `${head}: extra text: ${goQuote(rest)}`
  return `${head}: day out of range`
}
