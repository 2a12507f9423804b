/** Label and field selectors: what is printed reads back as the same, and both select the same. */
import { isDeepStrictEqual } from "node:util"
import {
  compareBytes,
  formatLabelSelector,
  parseFieldSelector,
  parseSelector,
  parseToLabelSelector,
  selectorFrom,
} from "@knarr/apimachinery"
import { metadataNameOf } from "../../../packages/apiserver/src/server/request-info.ts"
import type { Draw } from "../draw.ts"
import { answerOf, defineTarget, expect } from "../target.ts"

const keys = ["a", "b", "app", "kubernetes.io/name", "x-y.z"]
const values = ["", "1", "2", "v", "web", "-3", "A.b_c"]

function labelText(draw: Draw): string {
  const requirement = (): string => {
    const key = draw.pick(keys)
    const space = draw.pick(["", "", " "])
    const set = `(${draw.list(4, () => draw.pick(values)).join(`,${space}`)})`
    return draw.pick([
      () => key,
      () => `!${space}${key}`,
      () => `${key}${space}${draw.pick(["=", "==", "!=", ">", "<"])}${space}${draw.pick(values)}`,
      () => `${key} ${draw.pick(["in", "notin"])} ${set}`,
    ])()
  }
  return draw.list(6, requirement).join(",")
}

function fieldText(draw: Draw): string {
  const one = (): string =>
    `${draw.pick(["metadata.name", "metadata.namespace", "spec.nodeName", "status.phase", ""])}${draw.pick(["=", "==", "!="])}` +
    draw.pick(["a", "", "b\\,c", "d\\=e", "\\\\", "x y", "*"])
  return draw.list(6, one).join(",")
}

export const selectors = defineTarget<{ text: string; fields: string; labels: Record<string, string> }>({
  name: "selectors",
  quick: 800,
  open: () => ({
    generate(draw) {
      const [text, fields] = [labelText(draw), fieldText(draw)]
      return {
        text: draw.chance(0.3) ? draw.mutate(text) : text,
        fields: draw.chance(0.3) ? draw.mutate(fields) : fields,
        labels: Object.fromEntries(draw.some(keys).map((key) => [key, draw.pick(values)])),
      }
    },
    check({ text, fields, labels }) {
      const selector = answerOf(() => parseSelector(text))
      if (selector) {
        const printed = selector.toString()
        const again = parseSelector(printed)
        expect(again.toString() === printed, "a printed selector is another", text, printed, again.toString())
        expect(
          again.matches(labels) === selector.matches(labels),
          "a printed selector selects differently",
          text,
          printed,
        )
        // Of two values that one label should have, the object keeps the last, as upstream's does.
        const keys = selector.requirements.map(({ key }) => key)
        const object =
          new Set(keys).size === keys.length ? answerOf(() => parseToLabelSelector(text)) : undefined
        const compiled = object && answerOf(() => selectorFrom(object))
        if (compiled) {
          expect(
            compiled.matches(labels) === selector.matches(labels),
            "a selector as an object selects differently",
            text,
          )
          expect(formatLabelSelector(object) !== "<error>", "a selector as an object is an error", text)
        }
        expect(keys.toSorted(compareBytes).join() === keys.join(), "requirements are not sorted", text)
      }
      const field = answerOf(() => parseFieldSelector(fields))
      if (field) {
        const printed = field.toString()
        const again = parseFieldSelector(printed)
        // They are in the order of their texts, in which `==` is another word than `=`.
        const sorted = (all: readonly unknown[]): string[] => all.map((one) => JSON.stringify(one)).sort()
        expect(
          isDeepStrictEqual(sorted(again.requirements), sorted(field.requirements)),
          "a printed field selector is another",
          fields,
          printed,
        )
        const name = metadataNameOf(fields)
        const named = field.requirements.some((one) => one.field === "metadata.name" && one.value === name)
        expect(name === undefined || named, "what is authorised is not what is selected", fields, name)
      }
    },
  }),
})
