/**
 * Values encrypted with keys that a KMS plugin keeps: each value has a key made of a seed, and the seed lies beside it,
 * encrypted by the plugin. The plugin is asked when the seed of a value is not known yet, and each minute whether it is well and
 * which key it has now. Mirrors: apiserver pkg/storage/value/encrypt/envelope/kmsv2, pkg/server/options/encryptionconfig
 */
import { isDNS1123Subdomain, formatTime } from "@knarr/apimachinery"
import { messageOf, uuid, type Env, type Scope } from "@knarr/base"
import { createCodec, createGrpcClient, type Codec, type GrpcClient, type MessageInit } from "@knarr/grpc"
import { aesGcm, seededGcm } from "./ciphers.ts"
import { kmsEnums, kmsMethods, kmsTables, type KmsMessages } from "./kms.gen.ts"
import type { Transformer } from "./transformer.ts"

const wellMs = 60_000
const unwellMs = 10_000
/** How long after the last good status values may be written. */
const writableMs = 180_000
const seedBytes = 32
const maxKeyId = 1024
const maxSource = 1024
const maxAnnotations = 32 * 1024
/** Seeds that are known, at most. */
const maxSeeds = 1000

/** How the plaintext of the source becomes a key. */
const sourceTypes = { key: 0, seed: 1 }

interface EncryptedObject {
  encryptedData: Uint8Array
  keyId: string
  encryptedDekSource: Uint8Array
  annotations: Record<string, Uint8Array>
  encryptedDekSourceType: number
}

const objectCodec: Codec<{ EncryptedObject: EncryptedObject }> = createCodec(
  {
    EncryptedObject:
      "encryptedData:1:bytes keyId:2:string encryptedDekSource:3:bytes annotations:4:{string,bytes} encryptedDekSourceType:5:int32",
  },
  {},
)
const codec: Codec<KmsMessages> = createCodec<KmsMessages>(kmsTables, kmsEnums)

export interface KmsOptions {
  readonly name: string
  /** `unix:///path` */
  readonly endpoint: string
  readonly timeoutMs: number
}

/** What values are written with now. */
interface Writer {
  readonly transformer: Transformer
  readonly source: Omit<EncryptedObject, "encryptedData">
  /** On the wall clock. */
  expiresMs: number
}

export class KmsTransformer implements Transformer {
  readonly name: string
  readonly #env: Env
  readonly #timeoutMs: number
  readonly #client: GrpcClient
  readonly #signal: AbortSignal
  readonly #seeds = new Map<string, Transformer | Promise<Transformer>>()
  #writer: Writer | undefined
  #version = ""
  #problem: Error | undefined

  /** Connects when it is first asked; ends with `scope`. */
  constructor({ name, endpoint, timeoutMs }: KmsOptions, env: Env, scope: Scope) {
    this.name = name
    this.#env = env
    this.#timeoutMs = timeoutMs
    this.#signal = scope.signal
    const socket = decodeURIComponent(endpoint.replace(/^unix:(\/\/)?/, "")).replace(/^\/?@/, "\0")
    this.#client = createGrpcClient({ socket, clock: env.clock })
    scope.defer(() => this.#client.close())
  }

  /** Asks the plugin how it is, again and again. Resolves when it has answered, or could not, once. */
  async start(scope: Scope): Promise<void> {
    await this.#probe()
    scope.run("health of a KMS plugin", async (signal) => {
      for (;;) {
        await this.#env.clock.sleep(this.#problem ? unwellMs : wellMs, signal)
        await this.#probe()
      }
    })
  }

  /** Throws what is wrong with the plugin; as of now when it was not well. */
  async check(): Promise<void> {
    if (this.#problem) await this.#probe()
    if (this.#problem) throw this.#problem
  }

  decrypt(data: Buffer, place: string): ReturnType<Transformer["decrypt"]> {
    const object = objectCodec.decode("EncryptedObject", data)
    checkObject(object)
    const { encryptedData, keyId, encryptedDekSourceType } = object
    const read = (transformer: Transformer): { value: Buffer; stale: boolean } => {
      const sealed = Buffer.from(encryptedData.buffer, encryptedData.byteOffset, encryptedData.length)
      const { value } = transformer.decrypt(sealed, place) as { value: Buffer }
      const now = this.#writer?.source
      return {
        value,
        stale: keyId !== now?.keyId || encryptedDekSourceType !== now.encryptedDekSourceType,
      }
    }
    const id = idOf(object)
    const known = this.#seeds.get(id) ?? this.#ask(id, object)
    return known instanceof Promise ? known.then(read) : read(known)
  }

  encrypt(data: Buffer, place: string): Buffer {
    const writer = this.#writer
    if (!writer) throw new Error("got unexpected nil transformer")
    const nowMs = this.#env.clock.now()
    if (nowMs > writer.expiresMs)
      throw new Error(
        `encryptedDEKSource expired at ${formatTime(writer.expiresMs)} (current time is ${formatTime(nowMs)})`,
      )
    const encryptedData = writer.transformer.encrypt(data, place) as Buffer
    return objectCodec.encode("EncryptedObject", { ...writer.source, encryptedData })
  }

  /** Has a seed decrypted, once for all who want it. */
  #ask(id: string, object: EncryptedObject): Promise<Transformer> {
    const { encryptedDekSource: ciphertext, keyId, annotations, encryptedDekSourceType } = object
    const asked = this.#call("decrypt", { ciphertext, keyId, annotations, uid: uuid(this.#env.random) }).then(
      ({ plaintext }) => {
        const key = Buffer.from(plaintext)
        const { random } = this.#env
        const made =
          encryptedDekSourceType === sourceTypes.seed ? seededGcm(key, random) : aesGcm(key, random)
        this.#seeds.set(id, made)
        return made
      },
      (thrown: unknown) => {
        this.#seeds.delete(id)
        throw new Error(`failed to decrypt DEK, error: ${messageOf(thrown)}`, { cause: thrown })
      },
    )
    this.#know(id, asked)
    return asked
  }

  #know(id: string, transformer: Transformer | Promise<Transformer>): void {
    if (this.#seeds.size >= maxSeeds) this.#seeds.delete(this.#seeds.keys().next().value!)
    this.#seeds.set(id, transformer)
  }

  async #probe(): Promise<void> {
    try {
      const { version, healthz, keyId } = await this.#call("status", {}).catch((thrown: unknown) => {
        throw new Error(
          `failed to perform status section of the healthz check for KMS Provider ${this.name}, error: ${messageOf(thrown)}`,
          { cause: thrown },
        )
      })
      const problems: string[] = []
      if (healthz !== "ok") problems.push(`got unexpected healthz status: ${healthz}`)
      if (version !== "v2" && version !== "v2beta1")
        problems.push(`expected KMSv2 API version v2, got ${version}`)
      else if (version !== (this.#version ||= version))
        problems.push(
          `KMSv2 API version should not change after the initial status response version ${this.#version}, got ${version}`,
        )
      const wrongKey = keyProblem(keyId)
      if (wrongKey !== undefined) problems.push(`got invalid KMSv2 KeyID: ${wrongKey}`)
      else
        await this.#rotate(keyId).catch(
          (thrown: unknown) => void problems.push(`failed to rotate DEK: ${messageOf(thrown)}`),
        )
      if (problems.length > 0)
        throw new Error(`kmsv2 Provider ${this.name} is not healthy, error: ${problems.join(", ")}`)
      this.#problem = undefined
    } catch (thrown) {
      if (this.#signal.aborted) return
      this.#problem = thrown as Error
      this.#env.log.warn("A KMS plugin is not well", { name: this.name, err: messageOf(thrown) })
    }
  }

  /** Makes a new seed when the plugin has another key; the present one goes on otherwise. */
  async #rotate(keyId: string): Promise<void> {
    const expiresMs = this.#env.clock.now() + writableMs
    if (this.#writer?.source.keyId === keyId) {
      this.#writer.expiresMs = expiresMs
      return
    }
    const seed = Buffer.from(this.#env.random.bytes(seedBytes))
    const request = { plaintext: seed, uid: uuid(this.#env.random) }
    const answer = await this.#call("encrypt", request).catch((thrown: unknown) => {
      throw new Error(`failed to encrypt DEK, error: ${messageOf(thrown)}`, { cause: thrown })
    })
    const source = {
      keyId: answer.keyId,
      encryptedDekSource: answer.ciphertext,
      annotations: answer.annotations,
      encryptedDekSourceType: sourceTypes.seed,
    }
    checkObject({ ...source, encryptedData: Buffer.alloc(1) })
    if (source.keyId !== keyId) throw new Error("the key of the answer is not that of the status")
    const transformer = seededGcm(seed, this.#env.random)
    this.#know(idOf(source), transformer)
    this.#writer = { transformer, source, expiresMs }
  }

  async #call<M extends keyof typeof kmsMethods>(
    method: M,
    request: MessageInit<KmsMessages[(typeof kmsMethods)[M][1]]>,
  ): Promise<KmsMessages[(typeof kmsMethods)[M][2]]> {
    const [path, takes, gives] = kmsMethods[method]
    const bytes = codec.encode(takes, request as never)
    const options = { signal: this.#signal, timeoutMs: this.#timeoutMs }
    return codec.decode(gives, await this.#client.unary(path, bytes, options)) as never
  }
}

function idOf(object: Omit<EncryptedObject, "encryptedData">): string {
  const { encryptedDekSourceType, encryptedDekSource, keyId, annotations } = object
  const notes = Object.entries(annotations)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => [key, Buffer.from(value).toString("base64")])
  return JSON.stringify([
    encryptedDekSourceType,
    Buffer.from(encryptedDekSource).toString("base64"),
    keyId,
    notes,
  ])
}

function keyProblem(keyId: string): string | undefined {
  const bytes = Buffer.byteLength(keyId)
  if (bytes === 0) return "keyID is empty"
  return bytes > maxKeyId ? `keyID is ${bytes} bytes, which exceeds the max size of ${maxKeyId}` : undefined
}

function checkObject(object: EncryptedObject): void {
  const { encryptedDekSourceType: type, encryptedDekSource: source, encryptedData, annotations } = object
  if (type !== sourceTypes.key && type !== sourceTypes.seed)
    throw new Error(`unknown encryptedDEKSourceType: ${type}`)
  if (encryptedData.length === 0) throw new Error("encrypted data is empty")
  if (source.length === 0)
    throw new Error("failed to validate encrypted DEK source: encrypted DEK source is empty")
  if (source.length > maxSource)
    throw new Error(
      `failed to validate encrypted DEK source: encrypted DEK source is ${source.length} bytes, which exceeds the max size of ${maxSource}`,
    )
  const wrongKey = keyProblem(object.keyId)
  if (wrongKey !== undefined) throw new Error(`failed to validate key id: ${wrongKey}`)
  let size = 0
  for (const [key, value] of Object.entries(annotations)) {
    const [problem] = isDNS1123Subdomain(key)
    if (problem !== undefined || !key.includes("."))
      throw new Error(
        `failed to validate annotations: annotations: Invalid value: ${JSON.stringify(key)}: ${problem ?? "should be a domain with at least two segments separated by dots"}`,
      )
    size += Buffer.byteLength(key) + value.length
  }
  if (size > maxAnnotations)
    throw new Error(
      `failed to validate annotations: total size of annotations is ${size}, which exceeds the max size of ${maxAnnotations}`,
    )
}
