import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { HpackDecoder, HpackError } from "./decoder.ts"

function read(decoder: HpackDecoder, hex: string): string[] {
  const fields: string[] = []
  decoder.decode(Buffer.from(hex, "hex"), (name, value) => fields.push(`${name}: ${value}`))
  return fields
}

const request = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"]
const date = "date: Mon, 21 Oct 2013 20:13:21 GMT"
const location = "location: https://www.example.com"

/** RFC 7541 Appendix C: blocks of one connection, one after the other. */
const examples: { name: string; tableBytes?: number; blocks: [hex: string, fields: string[]][] }[] = [
  {
    name: "C.2, literals of every form",
    blocks: [
      ["400a637573746f6d2d6b65790d637573746f6d2d686561646572", ["custom-key: custom-header"]],
      ["040c2f73616d706c652f70617468", [":path: /sample/path"]],
      ["100870617373776f726406736563726574", ["password: secret"]],
      ["82", [":method: GET"]],
    ],
  },
  {
    name: "C.4, requests with Huffman codes",
    blocks: [
      ["828684418cf1e3c2e5f23a6ba0ab90f4ff", request],
      ["828684be5886a8eb10649cbf", [...request, "cache-control: no-cache"]],
      [
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
        [
          ":method: GET",
          ":scheme: https",
          ":path: /index.html",
          ":authority: www.example.com",
          "custom-key: custom-value",
        ],
      ],
    ],
  },
  {
    name: "C.6, answers whose table overflows",
    tableBytes: 256,
    blocks: [
      [
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
        [":status: 302", "cache-control: private", date, location],
      ],
      ["4883640effc1c0bf", [":status: 307", "cache-control: private", date, location]],
      [
        "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
        [
          ":status: 200",
          "cache-control: private",
          "date: Mon, 21 Oct 2013 20:13:22 GMT",
          location,
          "content-encoding: gzip",
          "set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
        ],
      ],
    ],
  },
]

describe("header blocks", () => {
  for (const { name, tableBytes, blocks } of examples)
    it(`are read as the standard shows: ${name}`, () => {
      const decoder = new HpackDecoder(tableBytes)
      for (const [hex, fields] of blocks) assert.deepEqual(read(decoder, hex), fields)
    })

  const faults: [name: string, hex: string, message: RegExp][] = [
    ["a reference to nothing", "80", /no field/],
    ["a reference beyond the table", "be", /beyond the table/],
    ["a name beyond the table", "7f0000", /beyond the table/],
    ["a number that does not end", "ff", /ends early/],
    ["a number that is too large", "ffffffffff7f", /too large/],
    ["a number of zeros without end", "ff8080808080808080", /too long/],
    ["a string that is not there", "400a6375", /ends early/],
    ["a string of a length that is not there", "40", /ends early/],
    ["a size update behind a field", "8220", /within a block/],
    ["a table beyond what was allowed", "3fe21f", /beyond what was allowed/],
    ["the code's end within a string", "0084ffffffff00", /not valid/],
    ["padding of eight bits", "00821fff00", /not valid/],
    ["padding that is not ones", "00811800", /not valid/],
  ]
  for (const [name, hex, message] of faults)
    it(`are refused: ${name}`, () => {
      assert.throws(
        () => read(new HpackDecoder(), hex),
        (error: Error) => error instanceof HpackError && message.test(error.message),
      )
    })

  it("keep no more of a peer than its table holds", () => {
    const decoder = new HpackDecoder()
    const field = `40016b7f81ff00${"61".repeat(32_769 - 257)}`
    assert.throws(() => read(decoder, field), HpackError)
    for (let i = 0; i < 2000; i++)
      read(
        decoder,
        `4003${Buffer.from(String(1000 + (i % 900)))
          .toString("hex")
          .slice(0, 6)}0a${"62".repeat(10)}`,
      )
    // 4096 octets are 91 such fields: of number 62 + 91 nothing is left.
    assert.equal(read(decoder, "fe").length, 1)
    assert.throws(() => read(decoder, "ff1b"), /beyond the table/)
    // Everything goes when the peer says so, and a field that is larger than the table empties it.
    assert.deepEqual(read(decoder, "20"), [])
    assert.throws(() => read(decoder, "be"), /beyond the table/)
  })

  it("read all octets that a string can hold", () => {
    const text = Array.from({ length: 256 }, (_, octet) => String.fromCharCode(octet)).join("")
    const plain = Buffer.from(text, "latin1").toString("hex")
    assert.deepEqual(read(new HpackDecoder(), `0001617f8101${plain}`), [`a: ${text}`])
  })
})
