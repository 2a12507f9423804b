/** Go durations, times and ages: what is printed can be read again and means the same. */
import {
  canonicalMicroTime,
  canonicalTime,
  formatGoDuration,
  humanDuration,
  parseGoDuration,
  parseTime,
} from "@knarr/apimachinery"
import { answerOf, defineTarget, expect } from "../target.ts"

export const durations = defineTarget<{ text: string }>({
  name: "durations",
  quick: 1500,
  open: () => ({
    generate(draw) {
      const part = (): string =>
        `${draw.int(100)}${draw.pick(["", ".5", "."])}${draw.pick(["ns", "us", "µs", "ms", "s", "m", "h", ""])}`
      const two = (below: number): string => String(draw.int(below)).padStart(2, "0")
      const text = draw.chance(0.5)
        ? draw.pick(["", "-", "+"]) + draw.list(6, part).join("")
        : `${draw.pick(["2026", "0000", "9999", "1969"])}-${two(14)}-${two(33)}T${two(25)}:${two(61)}:${two(61)}` +
          `${draw.pick(["", ".5", ".123456", ".1234567891"])}${draw.pick(["Z", "+00:00", "-23:59", "+24:00", ""])}`
      return { text: draw.chance(0.3) ? draw.mutate(text) : text }
    },
    check({ text }) {
      const ms = answerOf(() => parseGoDuration(text))
      if (ms !== undefined) {
        const printed = formatGoDuration(ms)
        const again = parseGoDuration(printed)
        // Beyond 2^53 nanoseconds a number does not know each of them.
        expect(
          Math.abs(again - ms) <= Math.abs(ms) * 1e-15 + 1e-6,
          "what is printed is another duration",
          text,
          ms,
          printed,
          again,
        )
        const exact = Math.abs(ms) < 5e8
        expect(!exact || formatGoDuration(again) === printed, "the printed duration is not stable", printed)
        expect(typeof humanDuration(ms) === "string", "an age is a text")
      }
      for (const canonical of [canonicalTime, canonicalMicroTime]) {
        const time = answerOf(() => canonical(text))
        if (time === undefined) continue
        expect(canonical(time) === time, "the canonical time is not stable", text, time)
        expect(Number.isFinite(Number(parseTime(String(time)))), "a canonical time cannot be read", time)
      }
    },
  }),
})
