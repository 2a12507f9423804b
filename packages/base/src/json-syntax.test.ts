import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { goSyntaxError, parseJson } from "./json-syntax.ts"

const nested = (depth: number, inside = "", piece = "["): string =>
  piece.repeat(depth) + inside + (piece.startsWith("{") ? "}" : "]").repeat(depth)

const refusals: readonly (readonly [what: string, text: string, message: string])[] = [
  ["a word", "nul", "invalid character ' ' in literal null (expecting 'l')"],
  ["more than Go reads", nested(10_001), "invalid character '[' exceeded max depth"],
  ["more objects than Go reads", nested(10_001, "1", '{"a":'), "invalid character '{' exceeded max depth"],
  ["what is deep and ends", "[0,".repeat(9_000) + "1", "unexpected end of JSON input"],
  ["a deep error", nested(9_000, "x"), "invalid character 'x' looking for beginning of value"],
  ["an error before depth", "x" + nested(20_000), "invalid character 'x' looking for beginning of value"],
  ["an error after depth", nested(9_000) + "x", "invalid character 'x' after top-level value"],
]

describe("parseJson", () => {
  for (const depth of [1, 3_000, 3_001, 10_000])
    it(`reads ${depth} lists in one another`, () => {
      const text = nested(depth)
      assert.equal(JSON.stringify(parseJson(text)), text)
    })

  it("counts no brackets in texts, nor beside one another", () => {
    const value = ["[".repeat(20_000), '{"\\'.repeat(20_000), Array.from({ length: 20_000 }, () => ({}))]
    assert.deepEqual(parseJson(JSON.stringify(value)), value)
  })

  for (const [what, text, message] of refusals)
    it(`refuses ${what} with Go's message`, () => {
      assert.equal(goSyntaxError(text), message)
      assert.throws(() => parseJson(text), { name: "SyntaxError", message })
    })

  it("leaves the engine whole when a deep text breaks off", () => {
    setFlagsFromString("--expose-gc")
    const collect = runInNewContext("gc") as () => void
    const text = '{"a":' + "[0,".repeat(9_990) + "1"
    // Native code that goes on afterwards has values of its own, which JSON.parse would take from it.
    for (let i = 0; i < 4; i++) {
      const toJSON = (): unknown => {
        assert.throws(() => parseJson(text), SyntaxError)
        collect()
        return `${i}`
      }
      assert.equal(JSON.stringify([{ toJSON }, { b: i }]), `["${i}",{"b":${i}}]`)
    }
  })
})
