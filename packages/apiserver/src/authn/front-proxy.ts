/**
 * Users that a trusted proxy in front of the server names: its certificate is of an authority of its own, and headers say
 * for whom it asks. Mirrors: apiserver pkg/authentication/request/headerrequest
 */
import type { Clock } from "@knarr/base"
import type { Credentials, Refused, RequestAuthenticator, UserInfo } from "../contract.ts"
import { ClientChains, subjectOf } from "./client-chain.ts"

/** How a proxy identifies itself and its users (`--requestheader-*`); published for extension servers. */
export interface RequestHeaderOptions {
  /** PEM. */
  readonly clientCA: string
  /** Common names of the proxy's certificate; any when there are none. */
  readonly allowedNames: readonly string[]
  /** Default `X-Remote-User`; the first that a request has. */
  readonly usernameHeaders?: readonly string[] | undefined
  /** Default `X-Remote-Uid`. */
  readonly uidHeaders?: readonly string[] | undefined
  /** Default `X-Remote-Group`. */
  readonly groupHeaders?: readonly string[] | undefined
  /** Default `X-Remote-Extra-`. */
  readonly extraHeaderPrefixes?: readonly string[] | undefined
}

/** The names with what is left out filled in, as they are published. */
export function requestHeaderNames(options: RequestHeaderOptions): {
  readonly username: readonly string[]
  readonly uid: readonly string[]
  readonly group: readonly string[]
  readonly extraPrefix: readonly string[]
} {
  return {
    username: options.usernameHeaders ?? ["X-Remote-User"],
    uid: options.uidHeaders ?? ["X-Remote-Uid"],
    group: options.groupHeaders ?? ["X-Remote-Group"],
    extraPrefix: options.extraHeaderPrefixes ?? ["X-Remote-Extra-"],
  }
}

const trusted = Object.freeze({})

export class FrontProxyUsers implements RequestAuthenticator {
  readonly #chains: ClientChains<object>
  readonly #username: readonly string[]
  readonly #uid: readonly string[]
  readonly #group: readonly string[]
  readonly #extraPrefix: readonly string[]

  constructor(clock: Clock, options: RequestHeaderOptions) {
    const { allowedNames } = options
    this.#chains = new ClientChains(clock, options.clientCA, (leaf): object | Refused => {
      const name = subjectOf(leaf).names.at(-1) ?? ""
      if (allowedNames.length === 0 || allowedNames.includes(name)) return trusted
      return { error: `x509: subject with cn=${name} is not in the allowed list` }
    })
    const lower = (names: readonly string[]): string[] => names.map((name) => name.toLowerCase())
    const names = requestHeaderNames(options)
    this.#username = lower(names.username)
    this.#uid = lower(names.uid)
    this.#group = lower(names.group)
    this.#extraPrefix = lower(names.extraPrefix)
  }

  authenticate(request: Credentials): UserInfo | Refused | undefined {
    const name = this.#first(request, this.#username)
    if (name === "") return undefined
    const proxy = this.#chains.of(request.socket)
    if (proxy !== trusted) return proxy as Refused | undefined
    const uid = this.#first(request, this.#uid)
    const extra = this.#extra(request)
    return {
      name,
      groups: this.#group.flatMap((header) => valuesOf(request, header)).filter((group) => group !== ""),
      ...(uid === "" ? {} : { uid }),
      ...(extra.size === 0 ? {} : { extra: Object.fromEntries(extra) }),
    }
  }

  #first(request: Credentials, names: readonly string[]): string {
    for (const name of names) {
      const value = valuesOf(request, name)[0] ?? ""
      if (value !== "") return value
    }
    return ""
  }

  /** In the order of the prefixes. */
  #extra({ rawHeaders }: Credentials): Map<string, string[]> {
    const out = new Map<string, string[]>()
    for (const prefix of this.#extraPrefix) {
      for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
        const header = rawHeaders[i]!.toLowerCase()
        if (!header.startsWith(prefix)) continue
        const key = unescape(header.slice(prefix.length))
        const values = out.get(key)
        if (values) values.push(rawHeaders[i + 1]!)
        else out.set(key, [rawHeaders[i + 1]!])
      }
    }
    return out
  }
}

/** Each header is one value, whatever commas it holds. */
function valuesOf({ headers, rawHeaders }: Credentials, name: string): string[] {
  if (headers[name] === undefined) return []
  const out: string[] = []
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    if (rawHeaders[i]!.toLowerCase() === name) out.push(rawHeaders[i + 1]!)
  return out
}

function unescape(key: string): string {
  try {
    return decodeURIComponent(key)
  } catch {
    return key
  }
}
