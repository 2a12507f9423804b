/** A request's head as its fields come, and what is wrong with it. Mirrors: RFC 9113 §8 */

/** As node:http2 has them: names in small letters, pseudo headers among them, several values of a name in one. */
export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>

export interface HeadLimits {
  /** Octets of names and values, and 32 for each field. */
  readonly maxBytes: number
  readonly maxFields: number
}

const nameForm = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/
// eslint-disable-next-line no-control-regex
const valueFault = /[\0\r\n]|^[ \t]|[ \t]$/
const digits = /^[0-9]{1,15}$/
const pseudo = new Set([":method", ":scheme", ":path", ":authority"])
const ofConnections = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
])
/** Of these the first counts when there are several. */
const single = new Set([
  "authorization",
  "content-encoding",
  "content-length",
  "content-type",
  "date",
  "etag",
  "expect",
  "expires",
  "from",
  "host",
  "if-match",
  "if-modified-since",
  "if-none-match",
  "if-unmodified-since",
  "last-modified",
  "location",
  "max-forwards",
  "proxy-authorization",
  "range",
  "referer",
  "retry-after",
  "user-agent",
])

export class RequestHead {
  readonly headers: Record<string, string | string[] | undefined> = Object.create(null)
  /** Names and values in turn, as they came. */
  readonly raw: string[] = []
  /** Why the request cannot be taken. */
  fault: string | undefined
  /** It has more fields, or longer ones, than are kept. */
  tooLarge = false
  #bytes = 0
  #pseudoOver = false
  readonly #limits: HeadLimits

  constructor(limits: HeadLimits) {
    this.#limits = limits
  }

  /** Takes the next field. */
  add(name: string, value: string): void {
    this.#bytes += name.length + value.length + 32
    if (this.#bytes > this.#limits.maxBytes || this.raw.length >= this.#limits.maxFields * 2)
      this.tooLarge = true
    if (this.tooLarge || this.fault !== undefined) return
    this.fault = this.#faultOf(name, value)
    if (this.fault !== undefined) return
    this.raw.push(name, value)
    const present = this.headers[name]
    if (name === "set-cookie") this.headers[name] = [...((present as string[] | undefined) ?? []), value]
    else if (present === undefined) this.headers[name] = value
    else if (name === "cookie") this.headers[name] = `${present as string}; ${value}`
    else if (!single.has(name)) this.headers[name] = `${present as string}, ${value}`
  }

  #faultOf(name: string, value: string): string | undefined {
    if (valueFault.test(value)) return `The value of the header ${name} is not valid`
    if (name.charCodeAt(0) === 0x3a) {
      if (!pseudo.has(name)) return "A pseudo header that no request has"
      if (this.#pseudoOver) return "A pseudo header behind others"
      if (this.headers[name] !== undefined) return "A pseudo header twice"
      return undefined
    }
    this.#pseudoOver = true
    if (!nameForm.test(name)) return "The name of a header is not valid"
    if (ofConnections.has(name)) return "A header of connections"
    if (name === "te" && value !== "trailers") return "The header te asks for more than trailers"
    if (name !== "content-length") return undefined
    const present = this.headers[name]
    if (!digits.test(value) || (present !== undefined && present !== value))
      return "The length of the body is not valid"
    return undefined
  }

  /** What is missing, once all fields have come. */
  end(): void {
    if (this.fault !== undefined || this.tooLarge) return
    const { ":method": method, ":scheme": scheme, ":path": path, ":authority": authority } = this.headers
    if (!method) this.fault = "A request without method"
    else if (method === "CONNECT") {
      if (!authority || path !== undefined || scheme !== undefined)
        this.fault = "A CONNECT that asks for more"
    } else if (!scheme || !path) this.fault = "A request without scheme or path"
    else if (typeof path === "string" && path[0] !== "/" && !(path === "*" && method === "OPTIONS"))
      this.fault = "A path that does not begin with /"
  }

  /** Octets that the body has by the request's own word. */
  get contentLength(): number | undefined {
    const text = this.headers["content-length"]
    return text === undefined ? undefined : Number(text)
  }
}

/** Fields behind a body. They say nothing to a server, and are not kept. */
export class Trailers {
  /** Why they cannot be taken. */
  fault: string | undefined
  readonly #limits: HeadLimits
  #bytes = 0
  #fields = 0

  constructor(limits: HeadLimits) {
    this.#limits = limits
  }

  /** Takes the next field. */
  add(name: string, value: string): void {
    this.#bytes += name.length + value.length + 32
    this.#fields++
    if (this.fault !== undefined) return
    if (this.#bytes > this.#limits.maxBytes || this.#fields > this.#limits.maxFields)
      this.fault = "Trailers that are too large"
    else if (!nameForm.test(name) || valueFault.test(value)) this.fault = "A trailer is not valid"
  }
}
