/**
 * What is between an object's bytes and the store's: encryption. Every stored value says by a prefix what it was written with;
 * the first of several transformers writes, all read. Mirrors: apiserver pkg/storage/value/transformer.go
 */
import { aggregate } from "@knarr/apimachinery"
import { asError } from "@knarr/base"

export interface Decrypted {
  readonly value: Buffer
  /** It would be written otherwise today. */
  readonly stale: boolean
}

/** `place` is where the value is stored: what was copied there from elsewhere is not taken for it. */
export interface Transformer {
  /** A promise only where somebody else is asked. Throws, or rejects with, why the value cannot be read. */
  decrypt(data: Buffer, place: string): Decrypted | Promise<Decrypted>
  encrypt(data: Buffer, place: string): Buffer | Promise<Buffer>
}

export interface Prefixed {
  readonly prefix: string
  readonly transformer: Transformer
}

/** Several transformers as one. `unknown` says that a value has no prefix of theirs. */
export function prefixTransformers(all: readonly Prefixed[], unknown: string): Transformer {
  const known = all.map(({ prefix, transformer }) => ({ prefix: Buffer.from(prefix), transformer }))
  const from = (
    at: number,
    errors: string[],
    data: Buffer,
    place: string,
  ): Decrypted | Promise<Decrypted> => {
    for (let i = at; i < known.length; i++) {
      const { prefix, transformer } = known[i]!
      if (prefix.compare(data, 0, prefix.length) !== 0) continue
      const done = ({ value, stale }: Decrypted): Decrypted => ({ value, stale: stale || i > 0 })
      // A value that is not encrypted is no failure of who comes behind.
      const failed = (thrown: unknown): void =>
        void (prefix.length > 0 && errors.push(asError(thrown).message))
      try {
        const read = transformer.decrypt(data.subarray(prefix.length), place)
        if (!(read instanceof Promise)) return done(read)
        return read.then(done, (thrown: unknown) => {
          failed(thrown)
          return from(i + 1, errors, data, place)
        })
      } catch (thrown) {
        failed(thrown)
      }
    }
    throw new Error(errors.length > 0 ? aggregate(errors) : unknown)
  }
  const [first] = known
  return {
    decrypt: (data, place) => from(0, [], data, place),
    encrypt(data, place) {
      const { prefix, transformer } = first!
      const written = transformer.encrypt(data, place)
      if (!(written instanceof Promise)) return Buffer.concat([prefix, written])
      return written.then((bytes) => Buffer.concat([prefix, bytes]))
    },
  }
}

const encryptedPrefix = Buffer.from("k8s:enc:")

/** Writes values as they are, and reads those that are not encrypted. Mirrors: encrypt/identity/identity.go */
export const identity: Transformer = Object.freeze<Transformer>({
  decrypt(data) {
    if (encryptedPrefix.compare(data, 0, encryptedPrefix.length) === 0)
      throw new Error("identity transformer tried to read encrypted data")
    return { value: data, stale: false }
  },
  encrypt: (data) => data,
})
