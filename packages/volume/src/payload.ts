/**
 * The files of a volume that is made from objects, before they are written.
 * Mirrors: pkg/volume/configmap/configmap.go, secret/secret.go, projected/projected.go (MakePayload)
 */
import type { ConfigMap, KeyToPath, Secret } from "@knarr/api"

export interface PayloadFile {
  readonly data: Uint8Array
  readonly mode: number
  /** The user that owns it. */
  readonly user?: number | undefined
}

/** Files by their path within the volume. */
export type Payload = Map<string, PayloadFile>

interface Selection {
  readonly items: readonly KeyToPath[] | undefined
  readonly defaultMode: number
  readonly defaultUser?: number | undefined
  readonly optional: boolean
}

const encoder = new TextEncoder()

/** The files of a ConfigMap. Throws when an item names a key that is not there. */
export function configMapPayload(configMap: Readonly<ConfigMap> | undefined, selection: Selection): Payload {
  const read = (key: string): Uint8Array | undefined => {
    const text = configMap?.data?.[key]
    if (text !== undefined) return encoder.encode(text)
    const binary = configMap?.binaryData?.[key]
    return binary === undefined ? undefined : Buffer.from(binary, "base64")
  }
  const keys = [...Object.keys(configMap?.data ?? {}), ...Object.keys(configMap?.binaryData ?? {})]
  return select(keys, read, selection, "configmap references non-existent config key")
}

/** The files of a Secret. Throws when an item names a key that is not there. */
export function secretPayload(secret: Readonly<Secret> | undefined, selection: Selection): Payload {
  const read = (key: string): Uint8Array | undefined => {
    const data = secret?.data?.[key]
    return data === undefined ? undefined : Buffer.from(data, "base64")
  }
  return select(Object.keys(secret?.data ?? {}), read, selection, "references non-existent secret key")
}

function select(
  keys: readonly string[],
  read: (key: string) => Uint8Array | undefined,
  { items, defaultMode, defaultUser, optional }: Selection,
  missing: string,
): Payload {
  const out: Payload = new Map()
  if (!items?.length) {
    for (const key of keys) out.set(key, { data: read(key)!, mode: defaultMode, user: defaultUser })
    return out
  }
  for (const item of items) {
    const data = read(item.key)
    if (data) out.set(item.path, { data, mode: item.mode ?? defaultMode, user: item.user ?? defaultUser })
    else if (!optional) throw new Error(`${missing}: ${item.key}`)
  }
  return out
}

/** Changes when any file does. */
export function payloadsEqual(a: Payload, b: Payload): boolean {
  if (a.size !== b.size) return false
  for (const [path, file] of a) {
    const other = b.get(path)
    if (!other || other.mode !== file.mode || other.user !== file.user) return false
    if (Buffer.compare(other.data, file.data) !== 0) return false
  }
  return true
}
