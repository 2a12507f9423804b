/** JSON text: what JSON.parse takes is taken with the same value, and nothing else is. YAML agrees. */
import { isDeepStrictEqual } from "node:util"
import { goSyntaxError, parseJson } from "@knarr/base"
import { deepClone, deepEqual, loadYaml, scanStrict, stringifyYaml } from "@knarr/apimachinery"
import { answerOf, defineTarget, expect } from "../target.ts"

/** Deep enough to be checked before the engine reads it; a deep text that is no JSON would break the engine. */
const deep = 3_100

function standard(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

function refusal(text: string): SyntaxError | undefined {
  try {
    parseJson(text)
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return thrown
    throw thrown
  }
  return undefined
}

export const jsonTexts = defineTarget<{ text: string }>({
  name: "json-texts",
  quick: 800,
  async open() {
    const yaml = await loadYaml()
    return {
      generate(draw) {
        const text = JSON.stringify(draw.json(6), null, draw.pick([0, 0, 1, 2]))
        return { text: draw.chance(0.6) ? draw.mutate(text) : text }
      },
      check({ text }) {
        const refused = refusal(`${"[".repeat(deep)}${text}`)
        expect(refused && !refused.cause, "deep inside, only the engine refuses it", text)
        if (text.split(/[[{]/).length > deep) return
        const expected = standard(text)
        let value: unknown
        try {
          value = parseJson(text)
        } catch (thrown) {
          expect(thrown instanceof SyntaxError, "refuses with another error", String(thrown))
          expect(!expected, "JSON is refused", text, thrown.message)
          expect(goSyntaxError(text).length > 0, "a refusal says why")
          return
        }
        expect(expected, "what is no JSON is taken", text)
        expect(isDeepStrictEqual(value, expected.value), "JSON has another value", text, value)
        expect(deepEqual(deepClone(value), value), "a copy is not equal", text)
        scanStrict(text)
        // YAML's printer and parser must agree on every JSON value but for -0, and for halves of characters.
        const plain: unknown = { value: JSON.parse(JSON.stringify(value)) as unknown }
        if (/\\u[dD][89a-fA-F]/.test(JSON.stringify(plain))) return
        const printed = stringifyYaml(plain)
        const back = answerOf(() => yaml.parse(printed))
        expect(isDeepStrictEqual(back, plain), "as YAML it is another value", printed, back)
      },
    }
  },
})
