/**
 * The keys of the store and those of etcd. What the store has under `/registry/` is under the given prefix there; keys
 * beside it, which others may have written, are the same in both.
 */

const root = "/registry"

export class EtcdKeys {
  readonly #prefix: string

  /** `prefix`: as `--etcd-prefix`, default `/registry`. */
  constructor(prefix: string = root) {
    this.#prefix = `/${prefix.replace(/^\/+|\/+$/g, "")}`
  }

  toEtcd(key: string): Buffer {
    return Buffer.from(key.startsWith(`${root}/`) ? this.#prefix + key.slice(root.length) : key)
  }

  fromEtcd(bytes: Uint8Array): string {
    const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
    if (key.startsWith(`${this.#prefix}/`)) return root + key.slice(this.#prefix.length)
    // Another cluster's objects must not be taken for ours.
    return key.startsWith(`${root}/`) ? `foreign:${key}` : key
  }
}

/** The key after all that begin with `prefix`; for none, etcd's sign of all keys. */
export function rangeEnd(prefix: Uint8Array): Buffer {
  const end = Buffer.from(prefix)
  for (let at = end.length - 1; at >= 0; at--) {
    if (end[at]! < 0xff) {
      end[at]!++
      return end.subarray(0, at + 1)
    }
  }
  return Buffer.from([0])
}
