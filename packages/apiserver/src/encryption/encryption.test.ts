import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type ServerHttp2Stream } from "node:http2"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it, type TestContext } from "node:test"
import { kinds, secret } from "@knarr/api"
import { Meter, Scope, VirtualClock, createPrivateKeyPem, silentLogger, systemRandom } from "@knarr/base"
import type { Env } from "@knarr/base"
import { createCodec, frameMessage } from "@knarr/grpc"
import { createMemoryStore, type Store } from "@knarr/store"
import { createControlPlane, type ControlPlane } from "../control-plane.ts"
import { refusalOf } from "../testing.ts"
import { parseEncryptionConfig } from "./config.ts"
import { Encryption } from "./encryption.ts"
import { kmsEnums, kmsTables, type KmsMessages } from "./kms.gen.ts"

const key = (letter: string): string => Buffer.alloc(32, letter).toString("base64")
const head = "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\n"

function config(...rules: readonly (readonly [resources: string, providers: string])[]): string {
  const lines = rules.map(
    ([resources, providers]) => `- {resources: [${resources}], providers: ${providers}}`,
  )
  return `${head}resources:\n${lines.join("\n")}\n`
}

const keyOf = (provider: string, name: string, letter: string): string =>
  `{${provider}: {keys: [{name: ${name}, secret: ${key(letter)}}]}}`

interface Room extends AsyncDisposable {
  readonly env: Env
  readonly clock: VirtualClock
  readonly file: string
  readonly store: Store
  readonly scope: Scope
  write(text: string): void
  plane(reload?: boolean): Promise<ControlPlane>
}

function room(t: TestContext): Room {
  const dir = mkdtempSync(join(tmpdir(), "knarr-encryption-"))
  t.after(() => rmSync(dir, { recursive: true }))
  const clock = new VirtualClock()
  const env: Env = { clock, random: systemRandom, log: silentLogger, meter: new Meter() }
  const file = join(dir, "encryption.yaml")
  const scope = new Scope("test")
  const store = createMemoryStore({ env })
  return {
    env,
    clock,
    file,
    store,
    scope,
    write: (text) => writeFileSync(file, text),
    plane: async (reload) => {
      const plane = await createControlPlane({
        env: { ...env, meter: new Meter() },
        store,
        kinds,
        scope: scope.child("plane"),
        serviceAccounts: { signingKey: createPrivateKeyPem(), issuers: ["https://kubernetes.default.svc"] },
        encryption: { configFile: file, reload },
      })
      await plane.bootstrap()
      return plane
    },
    [Symbol.asyncDispose]: () => scope.close(),
  }
}

const path = "/registry/secrets/default/s"
const ref = { namespace: "default", name: "s" }
const one = { metadata: ref, stringData: { password: "open sesame" } }

async function stored(store: Store): Promise<string> {
  return (await store.get(path))!.value.toString("latin1")
}

describe("Encryption at rest", () => {
  it("reads what the published API server has written", async (t) => {
    await using r = room(t)
    r.write(
      config(
        ["secrets", `[${keyOf("aescbc", "key1", "a")}]`],
        ["configmaps", `[${keyOf("aesgcm", "key1", "a")}]`],
        ["serviceaccounts", `[${keyOf("secretbox", "key1", "a")}]`],
      ),
    )
    const encryption = await Encryption.start({ configFile: r.file }, r.env, r.scope)
    const text = readFileSync(join(import.meta.dirname, "testdata/values.json"), "utf8")
    for (const [place, value] of Object.entries(JSON.parse(text) as Record<string, string>)) {
      const plural = place.split("/")[2]!
      const transformer = encryption.of({ group: "", plural })
      const read = await transformer.decrypt(Buffer.from(value, "base64"), place)
      assert.equal(read.value.toString("latin1", 0, 4), "k8s\0", place)
      assert.equal(read.stale, false)
      const name = place.split("/").pop()!
      assert.ok(read.value.includes(name), place)
    }
  })

  for (const [provider, prefix] of [
    ["aescbc", "k8s:enc:aescbc:v1:key1:"],
    ["aesgcm", "k8s:enc:aesgcm:v1:key1:"],
    ["secretbox", "k8s:enc:secretbox:v1:key1:"],
  ] as const)
    it(`hides objects with ${provider}, and shows them to clients and after a restart`, async (t) => {
      await using r = room(t)
      r.write(config(["secrets", `[${keyOf(provider, "key1", "a")}, {identity: {}}]`]))
      const client = (await r.plane()).client()
      await client.create(secret, one)
      assert.ok((await stored(r.store)).startsWith(prefix))
      const again = (await r.plane()).client()
      assert.equal((await again.get(secret, ref)).data?.["password"], "b3BlbiBzZXNhbWU=")
    })

  it("writes an object anew that another key hides, at its next write, even if that changes nothing", async (t) => {
    await using r = room(t)
    r.write(config(["secrets", "[{identity: {}}]"]))
    await (await r.plane()).client().create(secret, one)
    assert.match(await stored(r.store), /^\{/)
    r.write(config(["'*.*'", `[${keyOf("aesgcm", "new", "b")}, {identity: {}}]`]))
    const plane = await r.plane()
    const object = await plane.client().get(secret, ref)
    await plane.client().update(secret, object as never)
    const written = await stored(r.store)
    assert.ok(written.startsWith("k8s:enc:aesgcm:v1:new:"))
    await plane.client().update(secret, (await plane.client().get(secret, ref)) as never)
    assert.equal(await stored(r.store), written)
  })

  it("refuses objects and lists that it cannot decrypt in upstream's words, until it can", async (t) => {
    await using r = room(t)
    r.write(config(["secrets", `[${keyOf("aescbc", "key1", "a")}]`]))
    await (await r.plane()).client().create(secret, one)
    r.write(config(["secrets", `[${keyOf("aescbc", "key2", "b")}]`]))
    const client = (await r.plane(true)).client()
    const why =
      "ResourceVersion: 0, AdditionalErrorMsg: data from the storage is not transformable revision=0: no matching key was found for the provided AES transformer"
    const { code, reason, message } = (await refusalOf(client.get(secret, ref)))!
    assert.deepEqual(
      [code, reason, message],
      [
        500,
        "InternalError",
        `Internal error occurred: StorageError: corrupt object, Code: 7, Key: /secrets/default/s, ${why}`,
      ],
    )
    const list = (await refusalOf(client.list(secret, { namespace: "default" })))!
    assert.deepEqual(
      [list.code, list.reason, list.details?.retryAfterSeconds, list.message],
      [
        429,
        "TooManyRequests",
        30,
        `storage is (re)initializing: failed to list <unspecified>: failed to read one or more secrets from the storage: StorageError: corrupt object, Code: 7, Key: /registry/secrets/default/s, ${why}`,
      ],
    )
    r.write(config(["secrets", `[${keyOf("aescbc", "key2", "b")}, ${keyOf("aescbc", "key1", "a")}]`]))
    for (let i = 0; i < 400 && (await refusalOf(client.get(secret, ref))); i++) await r.clock.advance(1000)
    assert.equal((await client.get(secret, ref)).metadata.name, "s")
    assert.equal((await client.list(secret, { namespace: "default" })).items.length, 1)
  })

  it("does not take a value for another object's", async (t) => {
    await using r = room(t)
    r.write(config(["secrets", `[${keyOf("aesgcm", "k", "a")}]`]))
    const encryption = await Encryption.start({ configFile: r.file }, r.env, r.scope)
    const transformer = encryption.of({ group: "", plural: "secrets" })
    const sealed = await transformer.encrypt(Buffer.from("{}"), "/registry/secrets/a/b")
    assert.throws(() => transformer.decrypt(sealed, "/registry/secrets/a/c"), {
      message: "cipher: message authentication failed",
    })
  })

  const wrong: readonly (readonly [text: string, message: string])[] = [
    [`${head}resources: []`, "resources: Required value: at least one resources is required"],
    [
      config(["Secrets", "[{identity: {}}]"]),
      'resources[0].resources[0]: Invalid value: "Secrets": resource name should not contain capital letters',
    ],
    [
      config(["secrets", "[{}]"]),
      'resources[0].providers[0]: Invalid value: {"AESGCM":null,"AESCBC":null,"Secretbox":null,"Identity":null,"KMS":null}: provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity',
    ],
    [
      config(["secrets", "[{aescbc: {keys: [{name: a, secret: YQ==}]}}]"]),
      'resources[0].providers[0].aescbc.keys[0].secret: Invalid value: "REDACTED": secret is not of the expected length, got 1, expected one of [16 24 32]',
    ],
    [
      config(["secrets, '*.'", "[{identity: {}}]"]),
      "resources[0].resources: Invalid value: [\"secrets\",\"*.\"]: using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they will be masked",
    ],
    [
      config(["secrets", "[{kms: {apiVersion: v2, name: plug, endpoint: 'tcp://x'}}]"]),
      'resources[0].providers[0].kms.endpoint: Invalid value: "tcp://x": unsupported scheme "tcp" for KMS provider, only unix is supported',
    ],
  ]
  for (const [text, message] of wrong)
    it(`is not configured so: ${message}`, () =>
      assert.rejects(parseEncryptionConfig(text, "f"), { message }))

  it("is not configured twice for one resource", async (t) => {
    await using r = room(t)
    r.write(config(["'*.*'", "[{identity: {}}]"], ["secrets", "[{identity: {}}]"]))
    await assert.rejects(Encryption.start({ configFile: r.file }, r.env, r.scope), {
      message:
        'failed to initialize encryption at rest: error while building transformers: resource "secrets" is masked by earlier rule "*.*"',
    })
  })

  it("has keys in a KMS plugin, takes its new key at once, and says when the plugin is not well", async (t) => {
    await using r = room(t)
    await using plugin = await startPlugin(t)
    const kms = `{kms: {apiVersion: v2, name: plug, endpoint: 'unix://${plugin.socket}'}}`
    r.write(config(["secrets", `[${kms}]`]))
    const plane = await r.plane()
    const client = plane.client()
    await client.create(secret, one)
    const first = await stored(r.store)
    assert.ok(first.startsWith("k8s:enc:kms:v2:plug:"))
    assert.ok(first.includes("key-1"))
    await plane.healthChecks[0]!.check()

    plugin.keyId = "key-2"
    await r.clock.advance(60_000)
    while (!plugin.asked.includes("Encrypt key-2")) await new Promise((resolve) => setImmediate(resolve))
    // The plugin has answered; that comes here in its own time.
    while (!(await stored(r.store)).includes("key-2")) {
      await new Promise((resolve) => setImmediate(resolve))
      await client.update(secret, (await client.get(secret, ref)) as never)
    }

    const restarted = await r.plane()
    assert.equal((await restarted.client().get(secret, ref)).data?.["password"], "b3BlbiBzZXNhbWU=")
    assert.ok(plugin.asked.includes("Decrypt key-2"))

    plugin.healthz = "ill"
    const third = await r.plane()
    assert.deepEqual(
      third.healthChecks.map(({ name }) => name),
      ["kms-providers"],
    )
    await assert.rejects(async () => third.healthChecks[0]!.check(), {
      message:
        "kms-provider-0: kmsv2 Provider plug is not healthy, error: got unexpected healthz status: ill",
    })
  })
})

interface Plugin extends AsyncDisposable {
  readonly socket: string
  readonly asked: string[]
  keyId: string
  healthz: string
}

/** A KMS plugin that hides nothing. */
async function startPlugin(t: TestContext): Promise<Plugin> {
  const codec = createCodec<KmsMessages>(kmsTables, kmsEnums)
  const dir = mkdtempSync(join(tmpdir(), "knarr-kms-"))
  t.after(() => rmSync(dir, { recursive: true }))
  const socket = join(dir, "kms.sock")
  const server = createServer()
  const plugin: Plugin = {
    socket,
    asked: [],
    keyId: "key-1",
    healthz: "ok",
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  }
  const answer = (method: string, bytes: Uint8Array): Buffer => {
    const { keyId, healthz } = plugin
    if (method === "Status") return codec.encode("StatusResponse", { version: "v2", healthz, keyId })
    if (method === "Encrypt") {
      plugin.asked.push(`Encrypt ${keyId}`)
      const { plaintext } = codec.decode("EncryptRequest", bytes)
      return codec.encode("EncryptResponse", { ciphertext: plaintext, keyId })
    }
    const { ciphertext, keyId: ofRequest } = codec.decode("DecryptRequest", bytes)
    plugin.asked.push(`Decrypt ${ofRequest}`)
    return codec.encode("DecryptResponse", { plaintext: ciphertext })
  }
  server.on("session", (session) => session.on("error", () => {}))
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    const method = String(headers[":path"]).split("/").pop()!
    const chunks: Buffer[] = []
    stream.on("data", (chunk: Buffer) => chunks.push(chunk))
    stream.on("end", () => {
      const body = Buffer.concat(chunks)
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true })
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }))
      stream.end(frameMessage(answer(method, body.subarray(5))))
    })
  })
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  return plugin
}
