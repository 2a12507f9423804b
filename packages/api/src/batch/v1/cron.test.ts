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

/** What robfig/cron v3 says to schedules: the times that follow one another, "" for never. */
const sequences: [schedule: string, zone: string, after: string, times: string[]][] = [
  // A step of more than one restricts a day as a list does: then either day will do.
  [
    "0 0 */10 * 1",
    "Europe/Berlin",
    "2026-03-29T00:00:00Z",
    ["2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z", "2026-03-31T22:00:00Z", "2026-04-05T22:00:00Z"],
  ],
  [
    "0 0 */2 * 3",
    "UTC",
    "2026-01-02T00:00:00Z",
    ["2026-01-03T00:00:00Z", "2026-01-05T00:00:00Z", "2026-01-07T00:00:00Z", "2026-01-09T00:00:00Z"],
  ],
  [
    "0 0 1 * */2",
    "UTC",
    "2026-01-01T00:00:00Z",
    ["2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z", "2026-01-06T00:00:00Z", "2026-01-08T00:00:00Z"],
  ],
  [
    "0 0 ?/10 * 1",
    "UTC",
    "2026-01-01T00:00:00Z",
    ["2026-01-05T00:00:00Z", "2026-01-11T00:00:00Z", "2026-01-12T00:00:00Z", "2026-01-19T00:00:00Z"],
  ],
  [
    "0 0 15/10 * */3",
    "UTC",
    "2026-01-01T00:00:00Z",
    ["2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z", "2026-01-07T00:00:00Z", "2026-01-10T00:00:00Z"],
  ],
  [
    "0 0 */31 * sun",
    "UTC",
    "2026-01-02T00:00:00Z",
    ["2026-01-04T00:00:00Z", "2026-01-11T00:00:00Z", "2026-01-18T00:00:00Z", "2026-01-25T00:00:00Z"],
  ],
  [
    "0 0 1-31 * 1",
    "UTC",
    "2026-01-01T00:00:00Z",
    ["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z", "2026-01-05T00:00:00Z"],
  ],
  // A star, a step of one, a star in a list and a star with an end that counts for nothing: both days.
  [
    "0 0 */1 * 1",
    "UTC",
    "2026-01-01T00:00:00Z",
    ["2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z", "2026-01-19T00:00:00Z"],
  ],
  [
    "0 0 */10,* * 1",
    "UTC",
    "2026-01-01T00:00:00Z",
    ["2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z", "2026-01-19T00:00:00Z"],
  ],
  [
    "0 0 *-5 * 1",
    "UTC",
    "2026-01-01T00:00:00Z",
    ["2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z", "2026-01-19T00:00:00Z"],
  ],
  ["@every 0", "UTC", "2026-01-01T00:00:00Z", ["2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z"]],
  ["@every -1h", "UTC", "2026-01-01T00:00:00Z", ["2026-01-01T00:00:01Z", "2026-01-01T00:00:02Z"]],
  ["@every 1h2m3.5s", "UTC", "2026-01-01T00:00:00.5Z", ["2026-01-01T01:02:03Z", "2026-01-01T02:04:06Z"]],
  ["0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", [""]],
  ["0 0 29 2 *", "UTC", "2098-12-01T00:00:00Z", [""]],
  ["0 0 29 2 *", "UTC", "2099-01-01T00:00:00Z", ["2104-02-29T00:00:00Z"]],
  [
    "CRON_TZ=Asia/Tokyo 0 0 * * *",
    "UTC",
    "2026-01-01T00:00:00Z",
    ["2026-01-01T15:00:00Z", "2026-01-02T15:00:00Z"],
  ],
  ["+5 0 * * *", "UTC", "2026-01-01T00:00:00Z", ["2026-01-01T00:05:00Z", "2026-01-02T00:05:00Z"]],
  [", 0 * * *", "UTC", "2026-01-01T00:00:00Z", [""]],
]

for (const [schedule, zone, after, times] of sequences) {
  test(`"${schedule}" in ${zone} runs at ${times.join(", ") || "no time"}`, () => {
    const parsed = parseCron(schedule, zone)
    let at: number | undefined = Date.parse(after)
    for (const expected of times) {
      at = parsed.next(at!)
      assert.equal(at === undefined ? "" : new Date(at).toISOString().replace(".000", ""), expected)
    }
  })
}

/** What it says to texts that are no schedules. */
const refused: [text: string, message: string][] = [
  ["", "empty spec string"],
  ["* * * *", "expected exactly 5 fields, found 4: [* * * *]"],
  ["60 * * * *", "end of range (60) above maximum (59): 60"],
  ["a * * * *", 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'],
  ["*/0 * * * *", "step of range should be a positive number: */0"],
  ["5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"],
  ["@often", "unrecognized descriptor: @often"],
  ["@Daily", "unrecognized descriptor: @Daily"],
  ["1//2 * * * *", "too many slashes: 1//2"],
  ["1-2-3 * * * *", "too many hyphens: 1-2-3"],
  ["* * 0 * *", "beginning of range (0) below minimum (1): 0"],
  ["* * * * 7", "end of range (7) above maximum (6): 7"],
  ["*/-1 * * * *", "negative number (-1) not allowed: -1"],
  ["-1 * * * *", 'failed to parse int from : strconv.Atoi: parsing "": invalid syntax'],
  [
    "99999999999999999999 * * * *",
    'failed to parse int from 99999999999999999999: strconv.Atoi: parsing "99999999999999999999": value out of range',
  ],
  ["1-a/b//c * * * *", 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'],
  ["* * * jan-mon *", 'failed to parse int from mon: strconv.Atoi: parsing "mon": invalid syntax'],
  ["@every", "unrecognized descriptor: @every"],
  ["@every x", 'failed to parse duration @every x: time: invalid duration "x"'],
  ["@every 5", 'failed to parse duration @every 5: time: missing unit in duration "5"'],
  ["@every 1h ", 'failed to parse duration @every 1h : time: unknown unit "h " in duration "1h "'],
  ["TZ=UTC", "invalid schedule format: runtime error: slice bounds out of range [:-1]"],
  ["TZ=Nowhere/Land * * * * *", "provided bad location Nowhere/Land: unknown time zone Nowhere/Land"],
]

for (const [text, message] of refused) {
  test(`"${text}" is refused`, () => {
    assert.throws(() => parseCron(text), { message })
  })
}
