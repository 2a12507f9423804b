/**
 * Which transformer a resource's values go through, as the configuration file says; it is read again when it changes.
 * Mirrors: apiserver pkg/server/options/encryptionconfig/{config,controller/controller}.go
 */
import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"
import { messageOf, Scope, type Counter, type Env } from "@knarr/base"
import type { HealthCheck } from "../server/health.ts"
import { aesCbc, aesGcm, secretbox } from "./ciphers.ts"
import {
  kmsTimeoutMs,
  parseEncryptionConfig,
  parseGroupResource,
  type EncryptionConfiguration,
  type Key,
  type Provider,
} from "./config.ts"
import { KmsTransformer } from "./kms.ts"
import { identity, prefixTransformers, type Prefixed, type Transformer } from "./transformer.ts"

export interface EncryptionOptions {
  /** An `apiserver.config.k8s.io/v1` EncryptionConfiguration. */
  readonly configFile: string
  /** Whether the file is looked at again and again; default false. */
  readonly reload?: boolean | undefined
}

const reloadMs = 10_000

/** One reading of the file. */
interface Loaded {
  readonly hash: string
  readonly transformers: ReadonlyMap<string, Transformer>
  readonly plugins: readonly KmsTransformer[]
  readonly scope: Scope
}

export class Encryption {
  readonly #options: EncryptionOptions
  readonly #env: Env
  readonly #scope: Scope
  readonly #reloads: Counter
  #loaded: Loaded
  /** Told when another configuration has come into force. */
  onReload: () => void = () => {}

  private constructor(options: EncryptionOptions, env: Env, scope: Scope, loaded: Loaded) {
    this.#options = options
    this.#env = env
    this.#scope = scope
    this.#loaded = loaded
    this.#reloads = env.meter.counter({
      name: "apiserver_encryption_config_controller_automatic_reloads_total",
      help: "Total number of reload successes and failures of encryption configuration split by apiserver identity.",
      labels: ["status", "apiserver_id_hash"],
    })
  }

  /** Reads the file. Rejects when it is none, or cannot be used. Ends with `scope`. */
  static async start(options: EncryptionOptions, env: Env, scope: Scope): Promise<Encryption> {
    const loaded = await load(options, env, scope)
    const encryption = new Encryption(options, env, scope, loaded)
    if (options.reload)
      scope.run("changes of the encryption configuration", async (signal) => {
        for (;;) {
          await env.clock.sleep(reloadMs, signal)
          await encryption.#reload()
        }
      })
    return encryption
  }

  /** What values of a resource go through; the core group is "". */
  of({ group, plural }: { readonly group: string; readonly plural: string }): Transformer {
    const { transformers } = this.#loaded
    return (
      transformers.get(`${plural}.${group}`) ??
      transformers.get(`*.${group}`) ??
      transformers.get("*.*") ??
      identity
    )
  }

  /** Parts of the server's health: how its KMS plugins are. */
  healthChecks(): HealthCheck[] {
    if (!this.#options.reload && this.#loaded.plugins.length === 0) return []
    const check = async (): Promise<void> => {
      const problems: string[] = []
      for (const [i, plugin] of this.#loaded.plugins.entries())
        await plugin
          .check()
          .catch((thrown: unknown) => void problems.push(`kms-provider-${i}: ${messageOf(thrown)}`))
      if (problems.length > 0) throw new Error(problems.join(", "))
    }
    return [{ name: "kms-providers", check }]
  }

  /** The old configuration stays in force when the new one is wrong, or its plugins are not well. */
  async #reload(): Promise<void> {
    const { configFile } = this.#options
    const scope = this.#scope.child("encryption configuration", { contained: true, silent: true })
    let next: Loaded | undefined
    try {
      const text = await readFile(configFile, "utf8")
      if (hashOf(text) === this.#loaded.hash) return
      next = await load(this.#options, this.#env, scope, text)
      for (const plugin of next.plugins) await plugin.check()
      const before = this.#loaded
      this.#loaded = next
      this.#reloads.add(1, "success", "")
      this.#env.log.info("The encryption configuration has changed", { path: configFile })
      this.onReload()
      if (before.scope !== this.#scope) await before.scope.close()
    } catch (thrown) {
      next = undefined
      this.#reloads.add(1, "failure", "")
      this.#env.log.error("The encryption configuration cannot be read again", thrown, { path: configFile })
    } finally {
      if (!next) await scope.close()
    }
  }
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex")
}

async function load(options: EncryptionOptions, env: Env, scope: Scope, given?: string): Promise<Loaded> {
  const { configFile } = options
  try {
    const text = given ?? (await readFile(configFile, "utf8"))
    const config = await parseEncryptionConfig(text, configFile)
    const plugins: KmsTransformer[] = []
    const transformers = await transformersOf(config, env, scope, plugins)
    return { hash: hashOf(text), transformers, plugins, scope }
  } catch (thrown) {
    throw new Error(`failed to initialize encryption at rest: ${messageOf(thrown)}`, { cause: thrown })
  }
}

async function transformersOf(
  config: EncryptionConfiguration,
  env: Env,
  scope: Scope,
  plugins: KmsTransformer[],
): Promise<Map<string, Transformer>> {
  const byResource = new Map<string, Prefixed[]>()
  for (const { resources, providers } of config.resources) {
    const own: Prefixed[] = []
    for (const provider of providers) own.push(await transformerOf(provider, env, scope, plugins))
    for (const name of resources) {
      const { group, resource } = parseGroupResource(name)
      for (const earlier of [`*.${group}`, "*.*"])
        if (byResource.has(earlier))
          throw new Error(
            `error while building transformers: resource ${JSON.stringify(name)} is masked by earlier rule ${JSON.stringify(earlier)}`,
          )
      const key = `${resource}.${group}`
      byResource.set(key, [...(byResource.get(key) ?? []), ...own])
    }
  }
  return new Map(
    [...byResource].map(([key, all]) => [key, prefixTransformers(all, "no matching prefix found")]),
  )
}

async function transformerOf(
  { aescbc, aesgcm, secretbox: box, kms }: Provider,
  env: Env,
  scope: Scope,
  plugins: KmsTransformer[],
): Promise<Prefixed> {
  const { random } = env
  if (aescbc) return keyed("aescbc", "AES", aescbc.keys, (key) => aesCbc(key, random))
  if (aesgcm) return keyed("aesgcm", "AES", aesgcm.keys, (key) => aesGcm(key, random))
  if (box) return keyed("secretbox", "Secretbox", box.keys, (key) => secretbox(key, random))
  if (!kms) return { prefix: "", transformer: identity }
  const { name = "", endpoint = "" } = kms
  if (kms.apiVersion !== "v2")
    throw new Error(
      "KMSv1 is deprecated and will only receive security updates going forward. Use KMSv2 instead.  Set --feature-gates=KMSv1=true to use the deprecated KMSv1 feature.",
    )
  const plugin = new KmsTransformer({ name, endpoint, timeoutMs: kmsTimeoutMs(kms) }, env, scope)
  await plugin.start(scope)
  plugins.push(plugin)
  return { prefix: `k8s:enc:kms:v2:${name}:`, transformer: plugin }
}

async function keyed(
  provider: string,
  what: string,
  keys: readonly Key[] = [],
  make: (key: Buffer) => Transformer | Promise<Transformer>,
): Promise<Prefixed> {
  const own: Prefixed[] = []
  for (const { name = "", secret = "" } of keys)
    own.push({ prefix: `${name}:`, transformer: await make(Buffer.from(secret, "base64")) })
  return {
    prefix: `k8s:enc:${provider}:v1:`,
    transformer: prefixTransformers(own, `no matching key was found for the provided ${what} transformer`),
  }
}
