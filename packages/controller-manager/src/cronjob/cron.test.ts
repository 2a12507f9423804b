import assert from "node:assert/strict"
import { test } from "node:test"
import { parseCron } from "./cron.ts"

const cases: [schedule: string, zone: string, after: string, next: string][] = [
  ["*/5 * * * *", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z"],
  ["*/5 * * * *", "UTC", "2026-01-01T00:04:59Z", "2026-01-01T00:05:00Z"],
  ["0 0 * * *", "UTC", "2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z"],
  ["30 4 1 1 *", "UTC", "2026-01-01T04:30:00Z", "2027-01-01T04:30:00Z"],
  ["0 12 * * mon-fri", "UTC", "2026-01-02T12:00:00Z", "2026-01-05T12:00:00Z"],
  ["0 0 13 * 5", "UTC", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"],
  ["0 0 29 2 *", "UTC", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z"],
  ["@hourly", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"],
  ["@every 90s", "UTC", "2026-01-01T00:00:00Z", "2026-01-01T00:01:30Z"],
  ["5-20/5 0 * * ?", "UTC", "2026-01-01T00:10:00Z", "2026-01-01T00:15:00Z"],
  ["0 9 * * *", "Asia/Kolkata", "2026-01-01T00:00:00Z", "2026-01-01T03:30:00Z"],
  ["0 9 * * *", "America/New_York", "2026-07-01T00:00:00Z", "2026-07-01T13:00:00Z"],
  // The clocks go from 2:00 to 3:00 on 8 March.
  ["30 2 * * *", "America/New_York", "2026-03-08T05:00:00Z", "2026-03-09T06:30:00Z"],
  ["TZ=Europe/Berlin 0 0 * * *", "UTC", "2026-01-01T12:00:00Z", "2026-01-01T23:00:00Z"],
]

for (const [schedule, zone, after, next] of cases) {
  test(`"${schedule}" in ${zone} after ${after}`, () => {
    const at = parseCron(schedule, zone).next(Date.parse(after))
    assert.equal(at === undefined ? at : new Date(at).toISOString(), next.replace("Z", ".000Z"))
  })
}

test("A schedule that never comes", () => {
  assert.equal(parseCron("0 0 31 2 *").next(Date.parse("2026-01-01T00:00:00Z")), undefined)
})

for (const bad of [
  "* * * *",
  "60 * * * *",
  "a * * * *",
  "*/0 * * * *",
  "5-1 * * * *",
  "@often",
  "1//2 * * * *",
]) {
  test(`"${bad}" is refused`, () => {
    assert.throws(() => parseCron(bad))
  })
}
