/** The encodings that a server offers, and which of them a client takes. */
import type { Exchange } from "../contract.ts"
import { acceptOf, type Clause, negotiate, wantsPretty } from "../server/accept.ts"
import type { Encoding } from "./encoding.ts"
import { json } from "./json.ts"
import { protobuf } from "./protobuf.ts"
import { yaml } from "./yaml.ts"

export class Encodings {
  /** In the order in which they are offered. */
  readonly mediaTypes: readonly string[]
  /** Of those in which can be watched. */
  readonly streamTypes: readonly string[]
  readonly #list: readonly Encoding[]

  /** JSON must be among them: it is for clients that do not say what they take. */
  constructor(list: readonly Encoding[]) {
    this.#list = list
    this.mediaTypes = list.map(({ mediaType }) => mediaType)
    this.streamTypes = list.filter(({ watch }) => watch).map(({ mediaType }) => `${mediaType};stream=watch`)
  }

  /** The encoding that an `Accept` header asks for, and the clause that does; `takes` as in {@link negotiate}. */
  negotiate(
    accept: string,
    takes?: (clause: Clause, type: string) => boolean,
  ): { readonly clause: Clause; readonly encoding: Encoding } | undefined {
    const found = negotiate(accept, takes, this.mediaTypes)
    if (!found) return undefined
    return { clause: found.clause, encoding: this.#list.find(({ mediaType }) => mediaType === found.type)! }
  }

  /** The one of a media type that is among them, as the client reads it best. */
  of(mediaType: string, exchange: Exchange): Encoding {
    return forReader(
      this.#list.find((one) => one.mediaType === mediaType)!,
      exchange,
    )
  }

  /** For a failure, which is told in JSON for people to read to who takes nothing. */
  ofFailure(exchange: Exchange): Encoding {
    const accept = acceptOf(exchange)
    if (accept === "application/json") return forReader(json, exchange)
    const found = this.negotiate(accept)
    return found ? forReader(found.encoding, exchange) : json.pretty!
  }
}

/** `encoding` as the client reads it best. */
export function forReader(encoding: Encoding, exchange: Exchange): Encoding {
  return encoding.pretty && wantsPretty(exchange) ? encoding.pretty : encoding
}

export const builtInEncodings: Encodings = new Encodings([json, yaml, protobuf])
