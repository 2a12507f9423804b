/** YAML text: a value or a clear refusal, the same when it is printed and read again, and as another parser has it. */
import { isDeepStrictEqual } from "node:util"
import { loadYaml, splitYamlDocuments, stringifyYaml } from "@knarr/apimachinery"
import { answerOf, defineTarget, expect } from "../target.ts"

const pieces = [
  ...Array.from("-:?,[]{}#&*!|>'\"%@` \n"),
  ...[
    "- ",
    ": ",
    "? ",
    "\n  ",
    "\n    ",
    "\n- ",
    "a",
    "b: ",
    "key: value",
    "&x ",
    "*x",
    "<<: *x",
    "!!str ",
    "!!binary ",
  ],
  ...[
    "|\n",
    ">-\n",
    "|+2\n",
    "---\n",
    "...\n",
    "# c\n",
    "0x1F",
    "0o17",
    "017",
    "1_000",
    "1:30",
    ".inf",
    ".nan",
    "~",
  ],
  ...[
    "null",
    "yes",
    "No",
    "ON",
    "true",
    "2001-01-01",
    "1e3",
    "+1",
    "\t",
    "\r\n",
    "\ufeff",
    "'it''s'",
    '"\\x41\\u263a"',
  ],
]

export const yamlTexts = defineTarget<{ text: string }>({
  name: "yaml-texts",
  quick: 120,
  async open() {
    const yaml = await loadYaml()
    return {
      generate(draw) {
        if (draw.chance(0.5)) return { text: draw.list(24, () => draw.pick(pieces)).join("") }
        return { text: draw.mutate(stringifyYaml(draw.json(4)), pieces) }
      },
      check({ text }) {
        expect(splitYamlDocuments(text).join("").length <= text.length + 1, "documents are parts of the text")
        for (const strict of [false, true]) {
          const values = answerOf(() => yaml.parseAll(text, { strict }))
          for (const value of values ?? []) {
            const plain: unknown = { value: JSON.parse(JSON.stringify(value)) as unknown }
            // Endless numbers are no JSON.
            if (/\.inf|\.nan|[\ud800-\udfff]/i.test(text) || JSON.stringify(plain).includes("\\ud")) continue
            const printed = stringifyYaml(plain)
            const back = yaml.parse(printed)
            expect(isDeepStrictEqual(back, plain), "what is printed reads as another value", plain, printed)
          }
        }
      },
    }
  },
})
