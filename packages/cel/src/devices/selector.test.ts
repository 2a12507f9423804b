import assert from "node:assert/strict"
import { test } from "node:test"
import { selectorProblem } from "./selector.ts"

const attributes = 'device.attributes["dra.example.com"]'

for (const [text, problem] of [
  ['device.driver == "dra.example.com"', undefined],
  ["device.allowMultipleAllocations", undefined],
  [`${attributes}.healthy`, undefined],
  [`${attributes}["model"] == "a" && ${attributes}.size > 3`, undefined],
  ['device.capacity["dra.example.com"].memory.compareTo(quantity("1Gi")) >= 0', undefined],
  [`cel.bind(dra, ${attributes}, dra.one && dra.two)`, undefined],
  [
    "device.drivers",
    "invalid: compilation failed: ERROR: <input>:1:7: undefined field 'drivers'\n | device.drivers\n | ......^",
  ],
  ["device.driver", "invalid: must evaluate to bool or the unknown type, not string"],
  ['device.capacity["a"].b', "invalid: must evaluate to bool or the unknown type, not kubernetes.Quantity"],
  [
    "device.attributes.all(a, device.attributes.all(b, device.attributes.all(c, device.attributes.all(d, a == b))))",
    "too-complex: too complex, exceeds cost limit",
  ],
] as const) {
  test(`a selector of devices: ${text}`, () => {
    const found = selectorProblem(text)
    assert.equal(found && `${found.kind}: ${found.detail}`, problem)
  })
}
