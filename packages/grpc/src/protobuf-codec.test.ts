import assert from "node:assert/strict"
import { test } from "node:test"
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire"
import { createCodec } from "./protobuf-codec.ts"

interface Messages {
  Sandbox: {
    metadata?: Metadata
    labels: Record<string, string>
    portMappings: Port[]
    groups: number[]
    limits: Record<string, number>
    hostname: string
    runAs?: Int64
    kind: string
    oomScoreAdj: number
    memory: number
    share?: number
    sha: Uint8Array
    ready: boolean
    ratio: number
    weight: number
    annotations: Record<string, string>
  }
  Metadata: { name: string; attempt: number }
  Port: { protocol: string; containerPort: number; hostIp: string }
  Int64: { value: number }
  Exec: { containerId: string; cmd: string[]; timeout: number }
  Version: { version: string }
}
type Metadata = Messages["Metadata"]
type Port = Messages["Port"]
type Int64 = Messages["Int64"]

const codec = createCodec<Messages>(
  {
    Sandbox:
      "metadata:1:Metadata labels:2:{string,string} portMappings:3:[]Port groups:4:[]int64 limits:5:{int32,uint64} " +
      "hostname:6:string runAs:7:Int64 kind:8:Kind oomScoreAdj:9:int32 memory:10:int64 share:11:int64? sha:12:bytes " +
      "ready:13:bool ratio:14:double weight:15:float annotations:16:{string,string}",
    Metadata: "name:1:string attempt:4:uint32",
    Port: "protocol:1:Protocol containerPort:2:int32 hostIp:4:string",
    Int64: "value:1:int64",
    Exec: "containerId:1:string cmd:2:[]string timeout:3:int64",
    Version: "version:1:string",
  },
  { Protocol: "TCP:0 UDP:1 SCTP:2", Kind: "POD:0 NODE:2" },
)

test("A message survives encoding and decoding, with defaults filled in", () => {
  const sandbox = codec.decode(
    "Sandbox",
    codec.encode("Sandbox", {
      metadata: { name: "web-0", attempt: 3 },
      labels: { app: "web", __proto__x: "y" },
      portMappings: [{ containerPort: 80, protocol: "UDP" }, {}],
      groups: [1, 2, 70000],
      limits: { "-1": 5, 7: 2 ** 40 },
      hostname: "ü".repeat(300),
      runAs: { value: 0 },
      kind: "NODE",
      oomScoreAdj: -997,
      memory: 5 * 2 ** 40,
      share: 0,
      sha: "text",
      ready: true,
      ratio: 0.1,
      weight: 0.5,
    }),
  )
  assert.deepEqual(sandbox, {
    metadata: { name: "web-0", attempt: 3 },
    labels: { app: "web", __proto__x: "y" },
    portMappings: [
      { protocol: "UDP", containerPort: 80, hostIp: "" },
      { protocol: "TCP", containerPort: 0, hostIp: "" },
    ],
    groups: [1, 2, 70000],
    limits: { "-1": 5, 7: 2 ** 40 },
    hostname: "ü".repeat(300),
    runAs: { value: 0 },
    kind: "NODE",
    oomScoreAdj: -997,
    memory: 5 * 2 ** 40,
    share: 0,
    sha: Buffer.from("text"),
    ready: true,
    ratio: 0.1,
    weight: 0.5,
    annotations: {},
  })
  const empty = codec.decode("Sandbox", Buffer.alloc(0))
  assert.deepEqual(
    [empty.metadata, empty.runAs, empty.share, empty.kind, empty.groups, empty.sha.length],
    [undefined, undefined, undefined, "POD", [], 0],
  )
})

test("A map's key cannot reach the prototype", () => {
  const bytes = new BinaryWriter().tag(2, 2).fork().tag(1, 2).string("__proto__").tag(2, 2).string("x").join()
  const { labels } = codec.decode("Sandbox", bytes.finish())
  assert.deepEqual(Object.keys(labels), ["__proto__"])
  assert.equal(Object.getPrototypeOf(labels), Object.prototype)
})

test("The bytes are those of another protobuf implementation", () => {
  for (const value of [0, 1, -1, 127, 128, 2 ** 31, -(2 ** 31), 2 ** 53 - 1, -(2 ** 53) + 1]) {
    const theirs = new BinaryWriter().tag(1, 0).int64(BigInt(value)).finish()
    if (value !== 0)
      assert.deepEqual(new Uint8Array(codec.encode("Int64", { value })), new Uint8Array(theirs))
    assert.equal(codec.decode("Int64", theirs).value, value)
  }
  const reader = new BinaryReader(codec.encode("Exec", { containerId: "c", cmd: ["a", ""], timeout: 5 }))
  const seen: unknown[] = []
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag()
    seen.push(number, wire === 0 ? Number(reader.int64()) : reader.string())
  }
  assert.deepEqual(seen, [1, "c", 2, "a", 2, "", 3, 5])
})

test("Unknown fields are skipped and a short message is refused", () => {
  const bytes = new BinaryWriter()
    .tag(99, 2)
    .string("new")
    .tag(98, 1)
    .fixed64(1n)
    .tag(97, 0)
    .int64(-5n)
    .tag(1, 2)
    .string("0.1.0")
    .finish()
  assert.equal(codec.decode("Version", bytes).version, "0.1.0")
  assert.throws(() => codec.decode("Version", bytes.subarray(0, bytes.length - 1)), /unexpected EOF/)
  const ports = new BinaryWriter().tag(3, 2).fork().tag(2, 0).int32(80).join().finish()
  assert.equal(codec.decode("Sandbox", ports).portMappings[0]!.containerPort, 80)
  const beyond = Buffer.from(ports)
  beyond[1] = beyond.length
  assert.throws(() => codec.decode("Sandbox", beyond), /unexpected EOF/)
})

test("A value of another wire type than its field's is refused", () => {
  const text = new BinaryWriter().tag(1, 2).string("5").finish()
  assert.throws(() => codec.decode("Int64", text), /wrong wireType = 2 for field 1/)
  const number = new BinaryWriter().tag(1, 0).int32(5).finish()
  assert.throws(() => codec.decode("Version", number), /wrong wireType = 0 for field 1/)
})
