import assert from "node:assert/strict"
import { goTimeError } from "./go-time-error.ts"
import { test } from "node:test"
import {
  formatGoDuration,
  goNanoseconds,
  humanDuration,
  parseGoDuration,
  shortHumanDuration,
} from "./duration.ts"
import { canonicalMicroTime, canonicalTime, formatMicroTime, formatTime, parseTime } from "./time.ts"

const s = 1000
const m = 60 * s
const h = 60 * m
const d = 24 * h
const y = 365 * d

test("humanDuration", () => {
  const cases: [number, string][] = [
    [s, "1s"],
    [70 * s, "70s"],
    [190 * s, "3m10s"],
    [70 * m, "70m"],
    [47 * h, "47h"],
    [49 * h, "2d1h"],
    [8 * d + 2 * h, "8d"],
    [367 * d, "367d"],
    [2 * y + 25 * d, "2y25d"],
    [3 * y, "3y"],
    [8 * y + 2 * d, "8y"],
    [2 * m, "2m"],
    [10 * m - 1, "9m59s"],
    [10 * m, "10m"],
    [3 * h - 1, "179m"],
    [3 * h, "3h"],
    [8 * h - 1, "7h59m"],
    [8 * h, "8h"],
    [48 * h - 1, "47h"],
    [8 * d - 1, "7d23h"],
    [2 * y - 1, "729d"],
    [2 * y, "2y"],
    [2 * y + d - 1, "2y"],
    [8 * y - 1, "7y364d"],
    [-1.5 * s, "0s"],
    [-2 * s, "<invalid>"],
  ]
  for (const [ms, text] of cases) {
    assert.equal(humanDuration(ms), text, String(ms))
  }
  assert.equal(shortHumanDuration(370 * d), "1y")
  assert.equal(shortHumanDuration(90 * m), "1h")
})

test("Go durations", () => {
  const cases: [string, number, string][] = [
    ["0", 0, "0s"],
    ["1h30m", 5_400_000, "1h30m0s"],
    ["-1.5s", -1500, "-1.5s"],
    ["300ms", 300, "300ms"],
    ["1.5us", 0.0015, "1.5µs"],
    [".5m", 30_000, "30s"],
  ]
  for (const [text, ms, printed] of cases) {
    assert.equal(parseGoDuration(text), ms)
    assert.equal(formatGoDuration(ms), printed)
  }
  assert.throws(() => parseGoDuration("x"), /time: invalid duration "x"/)
  for (const unit of ["d", "constructor", "__proto__"])
    assert.throws(
      () => parseGoDuration(`1${unit}`),
      new Error(`time: unknown unit "${unit}" in duration "1${unit}"`),
    )
})

test("Go durations to the nanosecond, as Go's time.ParseDuration answers", () => {
  const cases: [text: string, answer: bigint | string][] = [
    ["", "invalid"],
    ["-", "invalid"],
    ["-0", 0n],
    ["00", "missing unit in"],
    ["+5s", 5_000_000_000n],
    ["1.s", 1_000_000_000n],
    [".s", "invalid"],
    ["1.", "missing unit in"],
    ["1..2s", "missing unit in"],
    ["3e4s", 'unknown unit "e" in'],
    ["1 s", 'unknown unit " s" in'],
    ["1h-1m", 'unknown unit "h-" in'],
    ["1\u00b5s", 1000n],
    ["1\u03bcs", 1000n],
    ["0.9999ns", 0n],
    ["9223372036854775807ns", 9223372036854775807n],
    ["9223372036854775808ns", "invalid"],
    ["-9223372036854775808ns", -9223372036854775808n],
    ["-9223372036854775809ns", "invalid"],
    ["2562047h47m16.854775807s", 9223372036854775807n],
    ["2562047h47m16.854775808s", "invalid"],
    ["-9223372036854775.808us", -9223372036854775808n],
    ["5000000000s5000000000s", "invalid"],
    ["0000000000000000000000000000001s", 1_000_000_000n],
    ["99999999999999999999s", "invalid"],
    ["0.3333333333333333333h", 1_200_000_000_000n],
    ["1.00000000000000000001h", 3_600_000_000_000n],
  ]
  for (const [text, answer] of cases)
    assert.equal(
      goNanoseconds(text),
      typeof answer === "bigint" ? answer : `time: ${answer} duration ${JSON.stringify(text)}`,
    )
  assert.equal(formatGoDuration(parseGoDuration("9223372036854775807ns")), "2562047h47m16.854775807s")
})

test("what Go says of times whose fraction is not as long as the layout's", () => {
  const layout = "2006-01-02T15:04:05.000000Z07:00"
  for (const [end, rest, part] of [
    ["Z", "Z", ".000000"],
    [".12Z", ".12Z", ".000000"],
    [".1234567Z", "7Z", "Z07:00"],
  ]) {
    const text = `2024-02-29T12:00:01${end}`
    const told = `parsing time "${text}" as "${layout}": cannot parse "${rest}" as "${part}"`
    assert.equal(goTimeError(text, layout), told)
  }
})

test("times", () => {
  const ms = Date.UTC(2024, 1, 29, 12, 0, 1, 250)
  assert.equal(formatTime(ms), "2024-02-29T12:00:01Z")
  assert.equal(formatMicroTime(ms + 0.001), "2024-02-29T12:00:01.250001Z")
  assert.equal(parseTime("2024-02-29T13:00:01.25+01:00"), ms)
  assert.equal(canonicalTime("2024-02-29T13:00:01.25+01:00"), "2024-02-29T12:00:01Z")
  for (const micro of ["12:00:01.123456Z", "12:00:01,123456Z", "13:00:01.123456+01:00"])
    assert.equal(canonicalMicroTime(`2024-02-29T${micro}`), "2024-02-29T12:00:01.123456Z", micro)
  assert.equal(canonicalMicroTime("2024-02-29T2:00:01.123456Z"), "2024-02-29T02:00:01.123456Z")
  for (const other of ["12:00:01Z", "12:00:01.12345Z", "12:00:01.1234567Z"])
    assert.equal(canonicalMicroTime(`2024-02-29T${other}`), undefined, other)
  assert.equal(canonicalTime("9999-12-31T23:59:59Z"), "9999-12-31T23:59:59Z")
  for (const bad of [
    "",
    "2023-02-29T00:00:00Z",
    "2024-02-29",
    "2024-02-29T24:00:00Z",
    "2024-1-01T00:00:00Z",
    "9999-12-31T23:39:15-23:59",
    "0000-01-01T00:00:00+00:01",
  ]) {
    assert.ok(Number.isNaN(parseTime(bad)), bad)
  }
})
