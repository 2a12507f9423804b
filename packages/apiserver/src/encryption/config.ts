/** The file that says what is encrypted, and how. Mirrors: apiserver pkg/apis/apiserver/{v1,validation/validation_encryption.go} */
import { aggregateMessage, field, parseGoDuration, type FieldError } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import { parseStrictConfig, type ConfigType } from "@knarr/client"

export interface Key {
  readonly name?: string
  readonly secret?: string
}

interface Keys {
  readonly keys?: readonly Key[]
}

export interface KmsProvider {
  readonly apiVersion?: string
  readonly name?: string
  readonly endpoint?: string
  readonly timeout?: string
  readonly cachesize?: number
}

export interface Provider {
  readonly aescbc?: Keys
  readonly aesgcm?: Keys
  readonly secretbox?: Keys
  readonly kms?: KmsProvider
  readonly identity?: object
}

export interface EncryptionConfiguration {
  readonly resources: readonly {
    readonly resources: readonly string[]
    readonly providers: readonly Provider[]
  }[]
}

const type: ConfigType = {
  apiVersions: ["apiserver.config.k8s.io/v1"],
  kind: "EncryptionConfiguration",
  packageName: "io.k8s.apiserver.pkg.apis.apiserver.v1",
  table: {
    EncryptionConfiguration: { apiVersion: "string", kind: "string", resources: "[]ResourceConfiguration" },
    ResourceConfiguration: { providers: "[]ProviderConfiguration", resources: "[]string" },
    ProviderConfiguration: {
      aescbc: "AESConfiguration",
      aesgcm: "AESConfiguration",
      identity: "IdentityConfiguration",
      kms: "KMSConfiguration",
      secretbox: "SecretboxConfiguration",
    },
    AESConfiguration: { keys: "[]Key" },
    SecretboxConfiguration: { keys: "[]Key" },
    Key: { name: "string", secret: "string" },
    IdentityConfiguration: {},
    KMSConfiguration: {
      apiVersion: "string",
      cachesize: "int32",
      endpoint: "string",
      name: "string",
      timeout: "string",
    },
  },
}

const aesKeySizes = [16, 24, 32]
const secretboxKeySizes = [32]

/** Reads a configuration. Rejects in upstream's words for one that is none, or cannot be used. */
export async function parseEncryptionConfig(text: string, path: string): Promise<EncryptionConfiguration> {
  if (text.trim() === "")
    throw new Error(`encryption provider configuration file ${JSON.stringify(path)} is empty`)
  const config = await parseStrictConfig<EncryptionConfiguration>(text, type).catch((thrown: unknown) => {
    throw new Error(
      `error decoding encryption provider configuration file ${JSON.stringify(path)}: ${messageOf(thrown)}`,
      { cause: thrown },
    )
  })
  const errors = errorsOf(config)
  if (errors.length > 0) throw new Error(aggregateMessage(errors))
  return config
}

const atLeastOne = (what: string): string => `at least one ${what} is required`
const mandatory = (what: string, of: string): string => `${what} is a mandatory field for a ${of}`

function errorsOf(config: EncryptionConfiguration): FieldError[] {
  if (!config.resources || config.resources.length === 0)
    return [field.required("resources", atLeastOne("resources"))]
  const errors: FieldError[] = []
  const kmsNames = new Set<string>()
  for (const [i, { resources = [], providers = [] }] of config.resources.entries()) {
    const at = field.index("resources", i)
    const resourcesPath = field.child(at, "resources")
    const providersPath = field.child(at, "providers")
    if (resources.length === 0) errors.push(field.required(resourcesPath, atLeastOne(resourcesPath)))
    errors.push(...overlapErrors(resources, resourcesPath), ...nameErrors(resources, resourcesPath))
    if (providers.length === 0) errors.push(field.required(providersPath, atLeastOne(providersPath)))
    for (const [j, provider] of providers.entries())
      errors.push(...providerErrors(provider, field.index(providersPath, j), kmsNames))
  }
  return errors
}

/** `deployments.apps`; `*.` is everything in the core group. */
export function parseGroupResource(text: string): { group: string; resource: string } {
  const dot = text.indexOf(".")
  return dot < 0
    ? { group: "", resource: text }
    : { group: text.slice(dot + 1), resource: text.slice(0, dot) }
}

function overlapErrors(resources: readonly string[], path: string): FieldError[] {
  const parsed = resources.map(parseGroupResource)
  const pairs = parsed.flatMap((a, i) => parsed.filter((_, j) => i !== j).map((b) => [a, b] as const))
  const equal = ([a, b]: (typeof pairs)[number]): boolean => a.group === b.group && a.resource === b.resource
  const errors: FieldError[] = []
  if (pairs.some(equal))
    errors.push(field.invalid(path, resources, "the same resource cannot be specified multiple times"))
  const overlaps = pairs.some((pair) => {
    const [a, b] = pair
    if (equal(pair)) return false
    if (a.group === "*" && a.resource === "*") return true
    return a.group === b.group && (a.resource === "*" || b.resource === "*")
  })
  if (overlaps)
    errors.push(
      field.invalid(
        path,
        resources,
        "using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they will be masked",
      ),
    )
  return errors
}

const withoutApi = new Set(["apiserveripinfo", "serviceipallocations", "servicenodeportallocations"])

function nameErrors(resources: readonly string[], path: string): FieldError[] {
  return resources.flatMap((name, i) => {
    const problem = nameProblem(name)
    return problem === undefined ? [] : [field.invalid(field.index(path, i), name, problem)]
  })
}

function nameProblem(name: string): string | undefined {
  if (name !== name.toLowerCase()) return "resource name should not contain capital letters"
  if (name === "*")
    return "use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources"
  if (withoutApi.has(name)) return "resources which do not have REST API/s cannot be encrypted"
  const { group, resource } = parseGroupResource(name)
  if (group === "events.k8s.io")
    return "'*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in the config file"
  if (group === "extensions") return "'extensions' group has been removed and cannot be used for encryption"
  if (group === "*" && resource !== "*") return "encrypting the same resource across groups is not supported"
  return undefined
}

function providerErrors(provider: Provider, path: string, kmsNames: Set<string>): FieldError[] {
  const { kms, aesgcm, aescbc, secretbox, identity } = provider
  const given = [kms, aesgcm, aescbc, secretbox, identity].filter((one) => one !== undefined).length
  const shown = { AESGCM: null, AESCBC: null, Secretbox: null, Identity: null, KMS: null }
  if (given === 0)
    return [
      field.invalid(
        path,
        shown,
        "provider does not contain any of the expected providers: KMS, AESGCM, AESCBC, Secretbox, Identity",
      ),
    ]
  if (given > 1)
    return [
      field.invalid(
        path,
        shown,
        "more than one provider specified in a single element, should split into different list elements",
      ),
    ]
  if (kms) return kmsErrors(kms, field.child(path, "kms"), kmsNames)
  if (aesgcm) return keyErrors(aesgcm, field.child(path, "aesgcm", "keys"), aesKeySizes)
  if (aescbc) return keyErrors(aescbc, field.child(path, "aescbc", "keys"), aesKeySizes)
  if (secretbox) return keyErrors(secretbox, field.child(path, "secretbox", "keys"), secretboxKeySizes)
  return []
}

function keyErrors({ keys = [] }: Keys, path: string, sizes: readonly number[]): FieldError[] {
  if (keys.length === 0) return [field.required(path, atLeastOne("keys"))]
  return keys.flatMap(({ name, secret }, i) => {
    const errors: FieldError[] = []
    const at = field.index(path, i)
    const secretPath = field.child(at, "secret")
    if (!name) errors.push(field.required(field.child(at, "name"), mandatory("name", "key")))
    if (!secret) return [...errors, field.required(secretPath, mandatory("secret", "key"))]
    const { length } = Buffer.from(secret, "base64")
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(secret) || secret.length % 4 !== 0)
      errors.push(field.invalid(secretPath, "REDACTED", "secrets must be base64 encoded"))
    else if (!sizes.includes(length))
      errors.push(
        field.invalid(
          secretPath,
          "REDACTED",
          `secret is not of the expected length, got ${length}, expected one of [${sizes.join(" ")}]`,
        ),
      )
    return errors
  })
}

function kmsErrors(kms: KmsProvider, path: string, names: Set<string>): FieldError[] {
  const errors: FieldError[] = []
  const { name = "", endpoint = "", apiVersion = "v1", cachesize } = kms
  const namePath = field.child(path, "name")
  if (name === "") errors.push(field.required(namePath, mandatory("name", "provider")))
  if (apiVersion !== "v1" && name.includes(":"))
    errors.push(field.invalid(namePath, name, `invalid KMS provider name ${name}, must not contain ':'`))
  if (names.has(name))
    errors.push(field.invalid(namePath, name, `duplicate KMS provider name ${name}, names must be unique`))
  names.add(name)
  if (!(kmsTimeoutMs(kms) > 0))
    errors.push(
      field.invalid(field.child(path, "timeout"), kms.timeout, "timeout should be a positive value"),
    )
  const endpointPath = field.child(path, "endpoint")
  const scheme = /^([A-Za-z][\w+.-]*):/.exec(endpoint)?.[1] ?? ""
  if (endpoint === "") errors.push(field.invalid(endpointPath, "", mandatory("endpoint", "kms")))
  else if (scheme !== "unix")
    errors.push(
      field.invalid(
        endpointPath,
        endpoint,
        `unsupported scheme ${JSON.stringify(scheme)} for KMS provider, only unix is supported`,
      ),
    )
  if (apiVersion !== "v1" && cachesize !== undefined)
    errors.push(field.invalid(field.child(path, "cachesize"), cachesize, "cachesize is not supported in v2"))
  if (apiVersion !== "v1" && apiVersion !== "v2")
    errors.push(
      field.invalid(
        field.child(path, "apiVersion"),
        apiVersion,
        "unsupported apiVersion apiVersion for KMS provider, only v1 and v2 are supported",
      ),
    )
  return errors
}

/** NaN when it is no duration. Default 3 s. */
export function kmsTimeoutMs({ timeout = "3s" }: KmsProvider): number {
  try {
    return parseGoDuration(timeout)
  } catch {
    return NaN
  }
}
