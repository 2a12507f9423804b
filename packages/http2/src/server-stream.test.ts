import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  defaultWindowBytes,
  errorCodes,
  flags,
  frameTypes,
  numberFrame,
  settingIds,
  settingsFrame,
  smallFrame,
} from "./protocol.ts"
import type { ServerStream } from "./server-stream.ts"
import { RawClient, data, get, headersFrame, hello, literals, none, post, quiet, reset } from "./testing.ts"

describe("a request", () => {
  const valid = get.map((field) => [...field] as [string, string])
  const path = (value: string): [string, string][] => valid.map(([n, v]) => [n, n === ":path" ? value : v])
  const without = (name: string): [string, string][] => valid.filter(([n]) => n !== name)
  const heads: [name: string, fields: [string, string][], complaint: boolean][] = [
    ["as it should be", [...valid, ["te", "trailers"], ["cookie", "a=1"]], false],
    ["a name in capitals", [...valid, ["Accept", "x"]], true],
    ["a name with a blank", [...valid, ["a b", "x"]], true],
    ["no name", [...valid, ["", "x"]], true],
    ["a value of two lines", [...valid, ["a", "x\r\ny"]], true],
    ["a value with an end", [...valid, ["a", "x\0"]], true],
    ["a value that begins with a blank", [...valid, ["a", " x"]], true],
    ["a header of connections", [...valid, ["connection", "close"]], true],
    ["another encoding of transfer", [...valid, ["transfer-encoding", "chunked"]], true],
    ["te that asks for more", [...valid, ["te", "gzip"]], true],
    ["a pseudo header of answers", [...valid, [":status", "200"]], true],
    ["a pseudo header twice", [...valid, [":path", "/y"]], true],
    ["a pseudo header behind others", [["a", "b"], ...valid], true],
    ["no method", without(":method"), true],
    ["no scheme", without(":scheme"), true],
    ["no path", without(":path"), true],
    ["an empty path", path(""), true],
    ["a path that is none", path("x"), true],
    ["every path, asked for with GET", path("*"), true],
    [
      "every path",
      [
        [":method", "OPTIONS"],
        [":scheme", "https"],
        [":path", "*"],
      ],
      false,
    ],
    [
      "a connection to somewhere",
      [
        [":method", "CONNECT"],
        [":authority", "a:1"],
      ],
      false,
    ],
    ["a connection to nowhere", [[":method", "CONNECT"]], true],
    ["two lengths", [...valid, ["content-length", "0"], ["content-length", "1"]], true],
    ["a length that is none", [...valid, ["content-length", "-1"]], true],
    ["a body that does not come", [...valid, ["content-length", "3"]], true],
  ]
  for (const [name, fields, complaint] of heads)
    it(`has a head: ${name}`, async () => {
      let seen = 0
      using client = new RawClient({ onStream: () => seen++ })
      client.send(headersFrame(1, fields))
      await client.settle()
      assert.deepEqual([client.complaints, seen], complaint ? [["reset 1 1"], 0] : [[], 1])
    })

  it("comes with its headers as node:http2 gives them", async () => {
    const streams: ServerStream[] = []
    using client = new RawClient({ onStream: (stream) => streams.push(stream) })
    const more: [string, string][] = [
      ["accept", "a"],
      ["accept", "b"],
      ["cookie", "c=1"],
      ["cookie", "d=2"],
      ["user-agent", "one"],
      ["user-agent", "two"],
      ["set-cookie", "e"],
      ["set-cookie", "f"],
    ]
    // Cut anywhere, padded, and with a priority.
    const block = literals([...get, ...more])
    const padded = Buffer.concat([Buffer.from([3, 0, 0, 0, 0, 7]), block.subarray(0, 9), Buffer.alloc(3)])
    client.send(
      smallFrame(frameTypes.headers, flags.endStream | flags.padded | flags.priority, 1, padded),
      smallFrame(frameTypes.continuation, 0, 1, block.subarray(9, 30)),
      smallFrame(frameTypes.continuation, flags.endHeaders, 1, block.subarray(30)),
    )
    await client.settle()
    const [stream] = streams
    assert.deepEqual(
      { ...stream!.headers },
      {
        ...Object.fromEntries(get),
        accept: "a, b",
        cookie: "c=1; d=2",
        "user-agent": "one",
        "set-cookie": ["e", "f"],
      },
    )
    assert.deepEqual(stream!.rawHeaders, [...get, ...more].flat())
    assert.equal(stream!.bodiless, true)
  })

  it("is answered when its head is too large, and the next one too", async () => {
    using client = new RawClient({ onStream: hello, maxHeaderBytes: 300, maxHeaderFields: 8 })
    client.send(headersFrame(1, [...get, ["a", "x".repeat(200)]]))
    client.send(headersFrame(3, [...get, ...Array.from({ length: 9 }, (): [string, string] => ["a", ""])]))
    client.send(headersFrame(5, get))
    await client.settle()
    assert.deepEqual(
      client.heads().map(([status]) => status),
      [":status: 431", ":status: 431", ":status: 200"],
    )
  })

  it("has trailers that are as short as heads", async () => {
    using client = new RawClient({ onStream: quiet })
    // One long field of the peer's table, over and over.
    const long = Buffer.concat([Buffer.from([0x40]), literals([["b", "x".repeat(4000)]]).subarray(1)])
    const again = Buffer.alloc(16_000, 0xbe)
    client.send(
      headersFrame(1, post, flags.endHeaders),
      smallFrame(frameTypes.headers, flags.endStream, 1, long),
      ...Array.from({ length: 7 }, () => smallFrame(frameTypes.continuation, 0, 1, again)),
      smallFrame(frameTypes.continuation, flags.endHeaders, 1, none),
    )
    const { user } = process.cpuUsage()
    await client.settle()
    assert.deepEqual(client.complaints, ["reset 1 1"])
    assert.ok(process.cpuUsage().user - user < 1_000_000)
  })

  it("waits for its turn no longer than others: beyond the bound it is refused", async () => {
    using client = new RawClient({ onStream: quiet, maxConcurrentStreams: 2 })
    client.send(headersFrame(1, get), headersFrame(3, get), headersFrame(5, get))
    await client.settle()
    assert.deepEqual(client.complaints, ["reset 5 7"])
  })

  const bodies: [name: string, frames: Buffer[], length: string, outcome: string][] = [
    ["as announced", [data(1, "ab"), data(1, "c", 1)], "3", "ab|c|end"],
    ["longer", [data(1, "abcd", 1)], "3", "StreamError"],
    ["shorter", [data(1, "ab", 1)], "3", "StreamError"],
    ["with padding", [smallFrame(frameTypes.data, 9, 1, Buffer.from([2, 97, 0, 0]))], "1", "a|end"],
    ["with trailers", [data(1, "abc"), headersFrame(1, [["x", "y"]])], "3", "abc|end"],
    ["broken off", [data(1, "a"), reset(1)], "3", "a|CancelledError"],
  ]
  for (const [name, frames, length, outcome] of bodies)
    it(`has a body: ${name}`, async () => {
      const seen: string[] = []
      using client = new RawClient({
        onStream: (stream) =>
          stream.consume({
            data: (chunk) => seen.push(chunk.toString()) > 0,
            end: () => seen.push("end"),
            failed: (error) => seen.push(error.name),
          }),
      })
      client.send(headersFrame(1, [...post, ["content-length", length]], flags.endHeaders), ...frames)
      await client.settle()
      assert.equal(seen.join("|"), outcome)
    })

  it("has a body that is read as fast as it is taken", async () => {
    let stream: ServerStream | undefined
    using client = new RawClient({ onStream: (one) => (stream = one), streamWindowBytes: 100_000 })
    client.send(
      headersFrame(1, post, flags.endHeaders),
      ...Array.from({ length: 6 }, () => data(1, Buffer.alloc(16_000))),
    )
    await client.settle()
    const windows = (): number =>
      client.of(frameTypes.windowUpdate).filter((frame) => frame.streamId === 1).length
    assert.equal(windows(), 0)
    const body = stream!.readable()
    body.on("data", quiet)
    await client.settle()
    assert.ok(windows() > 0)
    body.destroy()
  })

  it("is told to go on before its body is read", async () => {
    using client = new RawClient({
      onStream: (stream) => stream.consume({ data: () => true, end: () => hello(stream), failed: quiet }),
    })
    client.send(headersFrame(1, [...post, ["expect", "100-continue"]], flags.endHeaders))
    await client.settle()
    client.send(data(1, "x", 1))
    await client.settle()
    assert.deepEqual(
      client.heads().map(([status]) => status),
      [":status: 100", ":status: 200"],
    )
  })
})

describe("an answer", () => {
  it("has its date and headers in order", async () => {
    using client = new RawClient({ onStream: hello })
    client.send(headersFrame(1, get))
    await client.settle()
    assert.deepEqual(client.heads(), [
      [":status: 200", "content-type: text/plain", `date: ${new Date(client.clock.now()).toUTCString()}`],
    ])
  })

  it("whose head does not fit into a frame comes in several", async () => {
    using client = new RawClient({
      onStream: (stream) => stream.respond(200, ["x", "v".repeat(40_000)], true),
    })
    client.send(headersFrame(1, get))
    await client.settle()
    const [head, ...rest] = client.frames.filter(({ streamId }) => streamId === 1)
    assert.deepEqual(
      [head!.flag, rest.map(({ type, flag }) => [type, flag])],
      [
        1,
        [
          [9, 0],
          [9, 4],
        ],
      ],
    )
  })

  it("before the request's end is whole, and the rest is not wanted", async () => {
    using client = new RawClient({ onStream: hello })
    client.send(headersFrame(1, post, flags.endHeaders))
    await client.settle()
    client.send(data(1, "late"), data(1, "r", 1), headersFrame(3, get))
    await client.settle()
    assert.deepEqual(client.complaints, ["reset 1 0"])
    assert.deepEqual([client.body(1).toString(), client.body(3).toString()], ["hello", "hello"])
  })

  it("that came with the request's end needs no reset", async () => {
    using client = new RawClient({ onStream: hello })
    client.send(headersFrame(1, post, flags.endHeaders), data(1, "body", 1))
    await client.settle()
    assert.deepEqual([client.complaints, client.body(1).toString()], [[], "hello"])
  })

  it("keeps to the windows of its peer, and others have their turn", async () => {
    const done: string[] = []
    const drained: string[] = []
    using client = new RawClient({
      onStream(stream) {
        stream.onDrain = () => drained.push(`drain ${stream.id}`)
        stream.onClose = (complete) => done.push(`close ${stream.id} ${complete}`)
        stream.respond(200, [])
        assert.equal(
          stream.write(Buffer.alloc(100_000, stream.id), () => done.push(`done ${stream.id}`)),
          false,
        )
        stream.end()
      },
    })
    client.send(headersFrame(1, get), headersFrame(3, get))
    await client.settle()
    const sizes = (): number[] => [client.body(1).length, client.body(3).length]
    assert.equal(sizes()[0]! + sizes()[1]!, defaultWindowBytes)
    assert.ok(Math.abs(sizes()[0]! - sizes()[1]!) <= 16_384)
    assert.deepEqual(done, [])
    client.send(numberFrame(frameTypes.windowUpdate, 0, 1_000_000))
    await client.settle()
    assert.deepEqual(sizes(), [defaultWindowBytes, defaultWindowBytes])
    assert.deepEqual(drained, [])
    client.send(settingsFrame([[settingIds.initialWindowSize, 80_000]]))
    await client.settle()
    assert.deepEqual(
      [sizes(), drained.sort()],
      [
        [80_000, 80_000],
        ["drain 1", "drain 3"],
      ],
    )
    client.send(numberFrame(frameTypes.windowUpdate, 3, 20_000))
    await client.settle()
    assert.deepEqual(done, ["close 3 true", "done 3"])
    client.send(reset(1))
    await client.settle()
    assert.deepEqual(done.slice(2), ["done 1", "close 1 false"])
    assert.deepEqual([...new Set(client.body(3))], [3])
  })

  it("that its peer does not take is broken off in the end", async () => {
    using client = new RawClient({ onStream: hello, idleMs: 1000 })
    client.send(settingsFrame([[settingIds.initialWindowSize, 0]]), headersFrame(1, post, flags.endHeaders))
    await client.settle()
    // What is left of the request is not kept meanwhile.
    for (let i = 0; i < 30; i++) client.send(data(1, Buffer.alloc(10_000)))
    await client.settle()
    assert.deepEqual([client.complaints, client.session.openStreams], [[], 1])
    await client.clock.advance(1500)
    await client.settle()
    assert.deepEqual([client.complaints, client.session.openStreams], [["reset 1 8"], 0])
  })

  it("is broken off by a reset, and what comes later says nothing", async () => {
    let stream: ServerStream | undefined
    const done: unknown[] = []
    using client = new RawClient({ onStream: (one) => (stream = one) })
    client.send(headersFrame(1, post, flags.endHeaders))
    await client.settle()
    stream!.respond(200, [])
    stream!.reset(errorCodes.internalError)
    assert.equal(
      stream!.write(Buffer.from("x"), (error) => done.push(error?.name)),
      false,
    )
    stream!.end()
    stream!.respond(500, [])
    stream!.reset()
    client.send(
      data(1, "x"),
      headersFrame(1, [["a", "b"]]),
      numberFrame(frameTypes.windowUpdate, 1, 5),
      reset(1),
    )
    await client.settle()
    assert.deepEqual([client.complaints, done, client.heads().length], [["reset 1 2"], ["CancelledError"], 1])
  })
})
