/** Cron schedules: the next time is later, is named by the schedule, and nothing named lies between. */
import { parseCron } from "@knarr/api"
import { isTimeZone } from "../../../packages/api/src/batch/v1/cron.ts"
import { answerOf, defineTarget, expect } from "../target.ts"

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
const days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
const bounds: readonly (readonly [number, number])[] = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 6],
]

/** Whether a field names a number, by other means than ours; undefined for forms that are not looked at. */
function names(field: string, value: number, [min, max]: readonly [number, number]): boolean | undefined {
  let any = false
  for (const part of field.split(",")) {
    const match = /^(?:([*?])|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/.exec(part)
    if (!match) return undefined
    const [, star, from, to, step] = match
    const first = star ? min : Number(from)
    const last = star ? max : to !== undefined ? Number(to) : step !== undefined ? max : first
    if (value >= first && value <= last && (value - first) % Number(step ?? 1) === 0) any = true
  }
  return any
}

export const cron = defineTarget<{ text: string; zone: string; after: number }>({
  name: "cron",
  quick: 200,
  open: () => ({
    generate(draw) {
      const value = (i: number): string => {
        const [min, max] = bounds[i]!
        if (draw.chance(0.1)) return draw.pick(i === 3 ? months : days)
        return String(min + draw.int(max - min + (draw.chance(0.05) ? 3 : 1)))
      }
      const part = (i: number): string =>
        draw.pick([() => "*", () => value(i), () => `${value(i)}-${value(i)}`, () => "?"])() +
        (draw.chance(0.25) ? `/${1 + draw.int(40)}` : "")
      const field = (i: number): string => [part(i), ...draw.list(3, () => part(i))].join(",")
      let text = [0, 1, 2, 3, 4].map(field).join(" ")
      if (draw.chance(0.1))
        text = `${draw.pick(["TZ=", "CRON_TZ="])}${draw.pick(["Europe/Berlin", "UTC", "Nowhere"])} ${text}`
      if (draw.chance(0.1))
        text = draw.pick(["@hourly", "@every 1h30m", "@every 0s", "@yearly", "@every 99999999h", "@"])
      return {
        text: draw.chance(0.2) ? draw.mutate(text) : text,
        zone: draw.pick([
          "UTC",
          "UTC",
          "Europe/Berlin",
          "America/New_York",
          "Australia/Lord_Howe",
          "Asia/Kathmandu",
        ]),
        after: Date.UTC(2020 + draw.int(20), draw.int(12), draw.int(32), draw.int(24), draw.int(60)),
      }
    },
    check({ text, zone, after }) {
      // Kinds check the zone before anybody asks for a time.
      if (!isTimeZone(zone)) return
      const schedule = answerOf(() => parseCron(text, zone))
      const next = schedule?.next(after)
      if (!schedule || next === undefined) return
      expect(Number.isFinite(next) && next > after, "the next time is not later", text, after, next)
      expect(
        schedule.next(next - 1) === next || text.startsWith("@every"),
        "a named time is passed over",
        text,
        next,
      )
      if (zone !== "UTC" || text.includes("TZ=")) return
      const fields = text.trim().split(/\s+/)
      if (fields.length !== 5 || next - after > 40 * 86_400_000) return
      for (let at = (Math.floor(after / 60_000) + 1) * 60_000; at <= next; at += 60_000) {
        const date = new Date(at)
        const values = [
          ...[date.getUTCMinutes(), date.getUTCHours(), date.getUTCDate()],
          ...[date.getUTCMonth() + 1, date.getUTCDay()],
        ]
        const named = values.map((value, i) => names(fields[i]!, value, bounds[i]!))
        if (named.includes(undefined)) return
        const free = [2, 4].some((i) => fields[i]!.split(",").some((part) => /^[*?](\/1)?$/.test(part)))
        const day = free ? named[2] && named[4] : named[2] || named[4]
        const here = Boolean(named[0] && named[1] && named[3] && day)
        expect(
          here === (at === next),
          "the next time is another",
          text,
          new Date(after).toISOString(),
          date.toISOString(),
        )
      }
    },
  }),
})
