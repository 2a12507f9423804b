import assert from "node:assert/strict"
import { test } from "node:test"
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire"
import { criEnums, criTables, type CriMessages } from "./cri.gen.ts"
import { createCodec } from "./protobuf-codec.ts"

const codec = createCodec<CriMessages>(criTables, criEnums)

test("A message survives encoding and decoding, with defaults filled in", () => {
  const bytes = codec.encode("RunPodSandboxRequest", {
    config: {
      metadata: { name: "web-0", namespace: "default", uid: "u", attempt: 3 },
      labels: { app: "web", __proto__x: "y" },
      portMappings: [{ containerPort: 80, protocol: "UDP" }, {}],
      linux: {
        securityContext: {
          namespaceOptions: { network: "NODE", pid: "CONTAINER" },
          supplementalGroups: [1, 2, 70000],
          runAsUser: { value: 0 },
        },
        resources: { cpuQuota: -1, oomScoreAdj: -997, memoryLimitInBytes: 5 * 2 ** 40 },
      },
      hostname: "ü".repeat(300),
    },
    runtimeHandler: "",
  })
  const { config } = codec.decode("RunPodSandboxRequest", bytes)
  assert.equal(config?.metadata?.attempt, 3)
  assert.deepEqual(config.labels, { app: "web", __proto__x: "y" })
  assert.deepEqual(
    config.portMappings.map((p) => [p.protocol, p.containerPort, p.hostIp]),
    [
      ["UDP", 80, ""],
      ["TCP", 0, ""],
    ],
  )
  const linux = config.linux!
  assert.equal(linux.securityContext?.namespaceOptions?.network, "NODE")
  assert.equal(linux.securityContext.namespaceOptions.ipc, "POD")
  assert.deepEqual(linux.securityContext.supplementalGroups, [1, 2, 70000])
  assert.deepEqual(linux.securityContext.runAsUser, { value: 0 })
  assert.equal(linux.securityContext.runAsGroup, undefined)
  assert.equal(linux.resources?.cpuQuota, -1)
  assert.equal(linux.resources.oomScoreAdj, -997)
  assert.equal(linux.resources.memoryLimitInBytes, 5 * 2 ** 40)
  assert.equal(config.hostname.length, 300)
  assert.deepEqual(config.annotations, {})
})

test("The bytes are those of another protobuf implementation", () => {
  for (const value of [0, 1, -1, 127, 128, 2 ** 31, -(2 ** 31), 2 ** 53 - 1, -(2 ** 53) + 1]) {
    const theirs = new BinaryWriter().tag(1, 0).int64(BigInt(value)).finish()
    if (value !== 0)
      assert.deepEqual(new Uint8Array(codec.encode("Int64Value", { value })), new Uint8Array(theirs))
    assert.equal(codec.decode("Int64Value", theirs).value, value)
  }
  const reader = new BinaryReader(
    codec.encode("ExecSyncRequest", { containerId: "c", cmd: ["a", ""], timeout: 5 }),
  )
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
  assert.equal(codec.decode("VersionResponse", bytes).version, "0.1.0")
  assert.throws(() => codec.decode("VersionResponse", bytes.subarray(0, bytes.length - 1)), RangeError)
})
