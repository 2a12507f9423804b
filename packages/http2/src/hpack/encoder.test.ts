import assert from "node:assert/strict"
import { it } from "node:test"
import { frameHeaderBytes } from "../protocol.ts"
import { HpackDecoder } from "./decoder.ts"
import { encodeHead } from "./encoder.ts"

it("an answer's head is read as it was written, whatever it holds", () => {
  const decoder = new HpackDecoder()
  const cases: [status: number, headers: string[]][] = [
    [200, ["content-type", "application/json", "audit-id", "5f0c"]],
    [200, []],
    [409, ["x-long", "v".repeat(70_000), "\u00e9", "\u00ff"]],
    [599, ["warning", '299 - "a"', "warning", '299 - "b"', "content-length", ""]],
  ]
  cases.forEach(([status, headers], i) => {
    const fields: string[] = []
    const block = encodeHead(status, headers, "Thu, 01 Jan 1970 00:00:00 GMT", i === 0).subarray(
      frameHeaderBytes,
    )
    decoder.decode(block, (name, value) => fields.push(name, value))
    assert.deepEqual(fields, [":status", String(status), ...headers, "date", "Thu, 01 Jan 1970 00:00:00 GMT"])
  })
})
