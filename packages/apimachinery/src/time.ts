/** Points in time as the API writes them. Mirrors: apimachinery meta/v1 Time and MicroTime */

/** RFC 3339 in whole seconds, UTC: `2006-01-02T15:04:05Z`. */
export function formatTime(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19) + "Z"
}

/** RFC 3339 with six digits, UTC: `2006-01-02T15:04:05.000000Z`. `ms` may have a fraction. */
export function formatMicroTime(ms: number): string {
  const whole = Math.floor(ms)
  const micros = Math.min(Math.round((ms - whole) * 1000), 999)
  return new Date(whole).toISOString().slice(0, 23) + String(micros).padStart(3, "0") + "Z"
}

const rfc3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d?):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))$/
const monthDays = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

// The first and the last moment, in UTC, that RFC 3339 can say: what lies beyond could be stored and never read again.
const firstMs = Date.parse("0000-01-01T00:00:00Z")
const endMs = Date.parse("+010000-01-01T00:00:00Z")

/** Whether RFC 3339 can say this moment (milliseconds since the epoch). */
export function hasForm(ms: number): boolean {
  return ms >= firstMs && ms < endMs
}

/**
 * Milliseconds since the epoch (with a fraction down to microseconds), or NaN when `text` is not RFC 3339, or has no
 * such form in UTC.
 */
export function parseTime(text: string): number {
  const m = rfc3339.exec(text)
  if (!m) return NaN
  const year = Number(m[1])
  const month = Number(m[2])
  const day = Number(m[3])
  const hour = Number(m[4])
  const minute = Number(m[5])
  const second = Number(m[6])
  if (month < 1 || month > 12 || day < 1 || day > monthDays[month - 1]!) return NaN
  if (month === 2 && day === 29 && !(year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0))) return NaN
  if (hour > 23 || minute > 59 || second > 59) return NaN
  let ms = Date.UTC(2000, month - 1, day, hour, minute, second)
  if (year !== 2000) ms = new Date(ms).setUTCFullYear(year, month - 1, day)
  if (m[7] !== undefined) ms += Math.floor(Number(m[7].slice(0, 6).padEnd(6, "0"))) / 1000
  if (m[8] !== undefined) {
    const offsetHours = Number(m[9])
    const offsetMinutes = Number(m[10])
    if (offsetHours > 24 || offsetMinutes > 60) return NaN
    const offset = (offsetHours * 60 + offsetMinutes) * 60_000
    ms += m[8] === "+" ? -offset : offset
    if (!hasForm(ms)) return NaN
  }
  return ms
}

/** `text` as metav1.Time would print it again, or undefined when it is not RFC 3339. */
export function canonicalTime(text: string): string | undefined {
  // What we print ourselves is by far the most common input: 20 characters, ending in Z, no fraction.
  const ms = parseTime(text)
  if (Number.isNaN(ms)) return undefined
  if (text.length === 20 && text.charCodeAt(19) === 90) return text
  return formatTime(Math.floor(ms / 1000) * 1000)
}

/** Go reads no fraction that has more or fewer digits than its layout. */
const sixDigits = /T\d{1,2}:\d\d:\d\d[.,]\d{6}(?!\d)/

/** `text` as metav1.MicroTime would print it again, or undefined when it is not RFC 3339. */
export function canonicalMicroTime(text: string): string | undefined {
  const ms = sixDigits.test(text) ? parseTime(text) : Number.NaN
  if (Number.isNaN(ms)) return undefined
  if (text.length === 27 && text[26] === "Z" && text[19] === ".") return text
  const fraction = /[.,](\d+)/.exec(text)?.[1] ?? ""
  return (
    formatTime(Math.floor(ms / 1000) * 1000).slice(0, 19) + "." + fraction.slice(0, 6).padEnd(6, "0") + "Z"
  )
}
