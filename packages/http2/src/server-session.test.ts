import assert from "node:assert/strict"
import { connect, type ClientHttp2Session } from "node:http2"
import { createServer, type AddressInfo } from "node:net"
import { text } from "node:stream/consumers"
import { describe, it } from "node:test"
import { systemClock } from "@knarr/base"
import {
  flags,
  frameTypes,
  goawayFrame,
  numberFrame,
  settingIds,
  settingsFrame,
  smallFrame,
} from "./protocol.ts"
import { ServerSession } from "./server-session.ts"
import type { ServerStream } from "./server-stream.ts"
import { RawClient, data, get, headersFrame, hello, none, post, quiet, reset } from "./testing.ts"

describe("a connection", () => {
  const open = headersFrame(1, post, flags.endHeaders)
  const frame = smallFrame
  /** What a peer sends behind its settings, and what it is told. Streams are not answered. */
  const faults: [name: string, frames: Buffer[], complaints: string[]][] = [
    ["a body on no stream", [data(0, "x")], ["goaway 1"]],
    ["a body of no request", [data(3, "x")], ["goaway 1"]],
    ["a request on stream 0", [headersFrame(0, get)], ["goaway 1"]],
    ["a request on a stream of the server's", [headersFrame(2, get)], ["goaway 1"]],
    [
      "a request on a number that was passed over",
      [headersFrame(5, get), headersFrame(3, get)],
      ["goaway 5"],
    ],
    ["a head behind the request's end", [headersFrame(1, get), headersFrame(1, get)], ["goaway 5"]],
    ["a body behind the request's end", [headersFrame(1, get), data(1, "x")], ["reset 1 5"]],
    [
      "a second head that does not end",
      [open, headersFrame(1, [["a", "b"]], flags.endHeaders)],
      ["reset 1 1"],
    ],
    ["trailers with a pseudo header", [open, headersFrame(1, get)], ["reset 1 1"]],
    ["another frame within a head", [headersFrame(1, get, flags.endStream), data(1, "x")], ["goaway 1"]],
    ["a continuation of nothing", [open, frame(frameTypes.continuation, 4, 1, none)], ["goaway 1"]],
    [
      "a continuation on another stream",
      [headersFrame(1, get, 0), frame(frameTypes.continuation, 4, 3, none)],
      ["goaway 1"],
    ],
    [
      "a head that does not end",
      [
        headersFrame(1, get, 0),
        ...Array.from({ length: 20 }, () => frame(frameTypes.continuation, 0, 1, none)),
      ],
      ["goaway 11"],
    ],
    [
      "padding beyond the frame",
      [frame(frameTypes.headers, flags.padded | flags.endHeaders, 1, Buffer.from([9, 0x82]))],
      ["goaway 1"],
    ],
    ["padding of nothing", [open, frame(frameTypes.data, flags.padded, 1, none)], ["goaway 1"]],
    [
      "padding as long as the body",
      [open, frame(frameTypes.data, flags.padded, 1, Buffer.from([2, 0]))],
      ["goaway 1"],
    ],
    ["a priority of another length", [frame(frameTypes.priority, 0, 1, Buffer.alloc(4))], ["reset 1 6"]],
    [
      "a stream that depends on itself",
      [frame(frameTypes.priority, 0, 1, Buffer.from([0, 0, 0, 1, 5]))],
      ["reset 1 1"],
    ],
    ["a priority of no stream", [frame(frameTypes.priority, 0, 0, Buffer.alloc(5))], ["goaway 1"]],
    ["a priority is of no use", [open, frame(frameTypes.priority, 0, 1, Buffer.alloc(5))], []],
    ["a reset of no request", [reset(1)], ["goaway 1"]],
    ["a reset of another length", [open, frame(frameTypes.rstStream, 0, 1, Buffer.alloc(3))], ["goaway 6"]],
    ["a promise", [frame(frameTypes.pushPromise, 4, 1, Buffer.alloc(4))], ["goaway 1"]],
    ["settings of a stream", [frame(frameTypes.settings, 0, 1, none)], ["goaway 1"]],
    ["settings of another length", [frame(frameTypes.settings, 0, 0, Buffer.alloc(5))], ["goaway 6"]],
    [
      "settings that are taken, and something with it",
      [frame(frameTypes.settings, 1, 0, Buffer.alloc(6))],
      ["goaway 6"],
    ],
    ["a setting that is neither on nor off", [settingsFrame([[settingIds.enablePush, 2]])], ["goaway 1"]],
    [
      "a window that is too large, by settings",
      [settingsFrame([[settingIds.initialWindowSize, 2 ** 31]])],
      ["goaway 3"],
    ],
    ["a frame size that is too small", [settingsFrame([[settingIds.maxFrameSize, 16_383]])], ["goaway 1"]],
    ["a frame size that is too large", [settingsFrame([[settingIds.maxFrameSize, 2 ** 24]])], ["goaway 1"]],
    ["a setting that nobody knows", [settingsFrame([[99, 1]])], []],
    ["a ping of a stream", [frame(frameTypes.ping, 0, 1, Buffer.alloc(8))], ["goaway 1"]],
    ["a ping of another length", [frame(frameTypes.ping, 0, 0, Buffer.alloc(7))], ["goaway 6"]],
    ["a window that does not grow", [numberFrame(frameTypes.windowUpdate, 0, 0)], ["goaway 1"]],
    [
      "a stream's window that does not grow",
      [open, numberFrame(frameTypes.windowUpdate, 1, 0)],
      ["reset 1 1"],
    ],
    ["a window that is too large", [numberFrame(frameTypes.windowUpdate, 0, 2 ** 31 - 1)], ["goaway 3"]],
    [
      "a stream's window that is too large",
      [open, numberFrame(frameTypes.windowUpdate, 1, 2 ** 31 - 1)],
      ["reset 1 3"],
    ],
    ["a window of no request", [numberFrame(frameTypes.windowUpdate, 7, 1)], ["goaway 1"]],
    ["a window of another length", [frame(frameTypes.windowUpdate, 0, 0, Buffer.alloc(3))], ["goaway 6"]],
    ["a farewell on a stream", [frame(frameTypes.goaway, 0, 1, Buffer.alloc(8))], ["goaway 1"]],
    ["a farewell", [goawayFrame(0, 0, "")], []],
    ["a frame that nobody knows", [frame(0x42, 0xff, 9, Buffer.alloc(3))], []],
    ["a frame that is too large", [data(1, Buffer.alloc(16_385))], ["goaway 6"]],
    ["a head that cannot be read", [frame(frameTypes.headers, 5, 1, Buffer.from([0x80]))], ["goaway 9"]],
    [
      "a body beyond the stream's window",
      [open, ...Array.from({ length: 17 }, () => data(1, Buffer.alloc(16_384)))],
      ["reset 1 3"],
    ],
  ]
  for (const [name, frames, complaints] of faults)
    it(`is answered for what it sends: ${name}`, async () => {
      using client = new RawClient({ onStream: quiet })
      client.send(...frames)
      await client.settle()
      assert.deepEqual(client.complaints, complaints)
      assert.equal(
        client.closed,
        complaints.some((text) => text.startsWith("goaway")),
      )
    })

  it("is broken off when it does not begin as HTTP/2 does", async () => {
    using client = new RawClient({ onStream: quiet }, [])
    client.send(Buffer.from("GET / HTTP/1.1\r\n\r\n"))
    await client.settle()
    // The preface was there: what follows is a frame of 4,668,757 octets.
    assert.deepEqual(client.complaints, ["goaway 6"])
  })

  it("is ended when too much is reset", async () => {
    using client = new RawClient({ onStream: quiet })
    const frames = Array.from({ length: 1001 }, (_, i) =>
      Buffer.concat([headersFrame(2 * i + 1, get), reset(2 * i + 1)]),
    )
    client.send(...frames.slice(0, 1000))
    await client.settle()
    assert.deepEqual([client.complaints, client.closed], [[], false])
    client.send(frames[1000]!)
    await client.settle()
    assert.deepEqual([client.complaints, client.closed], [["goaway 11"], true])
  })

  it("is ended when its windows are changed too often", async () => {
    using client = new RawClient({ onStream: quiet })
    const change = settingsFrame([[settingIds.initialWindowSize, 1]])
    client.send(...Array.from({ length: 2000 }, () => change))
    await client.settle()
    assert.deepEqual(client.complaints, [])
    client.send(headersFrame(1, get), ...Array.from({ length: 1001 }, () => change))
    await client.settle()
    assert.deepEqual(client.complaints, ["goaway 11"])
  })

  it("gives room for as much as came, however requests end", async () => {
    const failed = quiet
    const ends: Record<string, (stream: ServerStream) => void> = {
      "answered before the body": hello,
      "read and answered": (stream) => stream.consume({ data: () => true, end: () => hello(stream), failed }),
      "read by nobody": quiet,
      "read as a stream, and let go": (stream) => setImmediate(() => stream.readable().destroy()),
      "read as a stream that nobody reads": (stream) => void stream.readable(),
      "reset here": (stream) => setImmediate(() => stream.reset()),
    }
    for (const [name, onStream] of Object.entries(ends)) {
      using client = new RawClient({ onStream })
      let sent = 0
      for (let id = 1; id < 41; id += 2) {
        client.send(headersFrame(id, post, flags.endHeaders))
        for (let i = 0; i < 10; i++) client.send(data(id, Buffer.alloc(10_000)))
        sent += 100_000
        await client.settle()
        client.send(reset(id))
        await client.settle()
      }
      const released = client
        .of(frameTypes.windowUpdate)
        .filter(({ streamId }) => streamId === 0)
        .reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 65_535 - 1_048_576)
      assert.ok(sent - released < 262_144, `${name}: ${sent} sent, ${released} released`)
      assert.deepEqual(
        client.complaints.filter((text) => text.startsWith("goaway")),
        [],
        name,
      )
    }
  })

  it("is not read on when its peer does not read", async () => {
    using client = new RawClient({ onStream: quiet })
    client.stopReading()
    const pings = Buffer.concat(
      Array.from({ length: 1000 }, () => frame(frameTypes.ping, 0, 0, Buffer.alloc(8))),
    )
    for (let i = 0; i < 100; i++) {
      client.send(pings)
      await client.settle()
    }
    assert.equal(client.session.socket.isPaused(), true)
    client.readAgain()
    await client.settle()
    assert.equal(client.of(frameTypes.ping).length, 100_000)
  })

  it("ends when nothing is asked for long, and not before", async () => {
    let stream: ServerStream | undefined
    using client = new RawClient({ idleMs: 1000, onStream: (one) => (stream = one) })
    client.send(headersFrame(1, get))
    await client.settle()
    await client.clock.advance(10_000)
    hello(stream!)
    await client.settle()
    await client.clock.advance(900)
    assert.deepEqual([client.complaints, client.closed], [[], false])
    await client.clock.advance(1200)
    await client.settle()
    assert.deepEqual([client.complaints, client.closed], [["goaway 0"], true])
  })

  it("answers what is open when it closes, and takes nothing more", async () => {
    const streams: ServerStream[] = []
    using client = new RawClient({ onStream: (one) => streams.push(one) })
    client.send(headersFrame(1, get))
    await client.settle()
    client.session.close()
    client.send(headersFrame(3, get))
    await client.settle()
    assert.deepEqual(
      [client.complaints, streams.length, client.closed],
      [["goaway 0", "reset 3 7"], 1, false],
    )
    hello(streams[0]!)
    await client.settle()
    assert.deepEqual([client.body(1).toString(), client.closed], ["hello", true])
  })

  it("sends its peer to another connection and goes on", async () => {
    using client = new RawClient({ onStream: hello })
    client.session.sendAway()
    client.send(headersFrame(1, get))
    await client.settle()
    assert.deepEqual(
      [client.complaints, client.body(1).toString(), client.closed],
      [["goaway 0"], "hello", false],
    )
  })

  it("breaks its streams off when it is gone", async () => {
    const closed: boolean[] = []
    const ended: string[] = []
    using client = new RawClient({
      onStream(stream) {
        stream.onClose = (complete) => closed.push(complete)
        stream.consume({
          data: () => true,
          end: () => ended.push("end"),
          failed: (error) => ended.push(error.name),
        })
      },
    })
    client.send(headersFrame(1, post, flags.endHeaders), headersFrame(3, get))
    await client.settle()
    client.session.destroy()
    assert.deepEqual(
      [closed, ended],
      [
        [false, false],
        ["end", "CancelledError"],
      ],
    )
    assert.equal(client.session.openStreams, 0)
  })
})

describe("with node:http2 as client", () => {
  async function serve(
    onStream: (stream: ServerStream) => void,
  ): Promise<AsyncDisposable & { session: ClientHttp2Session }> {
    const server = createServer((socket) => void new ServerSession(socket, { clock: systemClock, onStream }))
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    return {
      session,
      async [Symbol.asyncDispose]() {
        session.destroy()
        await new Promise((resolve) => server.close(resolve))
      },
    }
  }

  it("bodies of any size come back as they were sent, many at once", async () => {
    await using room = await serve((stream) => {
      stream.respond(200, ["x-path", stream.headers[":path"] as string])
      const body = stream.readable()
      stream.onDrain = () => body.resume()
      body.on("data", (chunk: Buffer) => {
        if (!stream.write(chunk)) body.pause()
      })
      body.on("end", () => stream.end())
    })
    const sizes = [0, 1, 16_384, 16_385, 100_000, 3_000_000]
    const answers = sizes.map(async (size) => {
      const request = room.session.request({ ":method": "POST", ":path": `/${size}` })
      request.end("x".repeat(size))
      return (await text(request)).length
    })
    assert.deepEqual(await Promise.all(answers), sizes)
  })
})
