/**
 * URLs as Go takes them apart.
 * Mirrors: Go net/url
 */
import { goQuote } from "@knarr/apimachinery"

export interface ParsedURL {
  readonly scheme: string
  readonly opaque: string
  readonly user: string | undefined
  readonly host: string
  readonly path: string
  /** As it was written, when that is not how it would be written. */
  readonly rawPath: string
  readonly rawQuery: string
  readonly forceQuery: boolean
  readonly fragment: string | undefined
}

class Problem extends Error {}

/** The parts, or Go's words for what is wrong. `request`: it must be absolute and has no fragment. */
export function parseURL(text: string, request: boolean): ParsedURL | string {
  const hash = request ? -1 : text.indexOf("#")
  const main = hash < 0 ? text : text.slice(0, hash)
  try {
    const fragment = hash < 0 ? undefined : text.slice(hash + 1)
    if (fragment !== undefined) unescapeURL(fragment, "fragment")
    return { ...parse(main, request), fragment }
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    return `parse ${goQuote(text)}: ${error.message}`
  }
}

function parse(text: string, request: boolean): Omit<ParsedURL, "fragment"> {
  if (/[\u0000-\u001f\u007f]/.test(text)) throw new Problem("net/url: invalid control character in URL")
  if (text === "" && request) throw new Problem("empty url")
  const blank = {
    scheme: "",
    opaque: "",
    user: undefined,
    host: "",
    path: "",
    rawPath: "",
    rawQuery: "",
    forceQuery: false,
  }
  if (text === "*") return { ...blank, path: "*" }
  const { scheme, rest: afterScheme } = schemeOf(text)
  let rest = afterScheme
  let rawQuery = ""
  const forceQuery = rest.endsWith("?") && rest.indexOf("?") === rest.length - 1
  const query = rest.indexOf("?")
  if (forceQuery) rest = rest.slice(0, -1)
  else if (query >= 0) {
    rawQuery = rest.slice(query + 1)
    rest = rest.slice(0, query)
  }
  const parts = { ...blank, scheme, rawQuery, forceQuery }
  if (!rest.startsWith("/")) {
    if (scheme !== "") return { ...parts, opaque: rest }
    if (request) throw new Problem("invalid URI for request")
    if (rest.split("/", 1)[0]!.includes(":"))
      throw new Problem("first path segment in URL cannot contain colon")
  }
  let user: string | undefined
  let host = ""
  if ((scheme !== "" || (!request && !rest.startsWith("///"))) && rest.startsWith("//")) {
    const slash = rest.indexOf("/", 2)
    const authority = slash < 0 ? rest.slice(2) : rest.slice(2, slash)
    rest = slash < 0 ? "" : rest.slice(slash)
    ;({ user, host } = parseAuthority(authority))
  }
  const path = unescapeURL(rest, "path")
  return { ...parts, user, host, path, rawPath: escapePath(path) === rest ? "" : rest }
}

function schemeOf(text: string): { scheme: string; rest: string } {
  const match = /^([a-zA-Z][a-zA-Z0-9+.-]*)?:/.exec(text)
  if (match === null) return { scheme: "", rest: text }
  if (match[1] === undefined) throw new Problem("missing protocol scheme")
  return { scheme: match[1].toLowerCase(), rest: text.slice(match[0].length) }
}

function parseAuthority(authority: string): { user: string | undefined; host: string } {
  const at = authority.lastIndexOf("@")
  const host = parseHost(authority.slice(at + 1))
  if (at < 0) return { user: undefined, host }
  const user = authority.slice(0, at)
  if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(user)) throw new Problem("net/url: invalid userinfo")
  unescapeURL(user, "user")
  return { user, host }
}

function parseHost(host: string): string {
  if (host.startsWith("[")) {
    const end = host.lastIndexOf("]")
    if (end < 0) throw new Problem("missing ']' in host")
    checkPort(host.slice(end + 1))
    const zone = host.slice(0, end).indexOf("%25")
    if (zone >= 0)
      return (
        unescapeURL(host.slice(0, zone), "host") +
        unescapeURL(host.slice(zone, end), "zone") +
        unescapeURL(host.slice(end), "host")
      )
  } else if (host.lastIndexOf(":") >= 0) checkPort(host.slice(host.lastIndexOf(":")))
  return unescapeURL(host, "host")
}

function checkPort(port: string): void {
  if (!/^(?::\d*)?$/.test(port)) throw new Problem(`invalid port ${goQuote(port)} after host`)
}

type Part = "path" | "host" | "zone" | "user" | "fragment" | "query"

const hostCharacter = /^[A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"\u0080-\uffff]$/

function unescapeURL(text: string, part: Part): string {
  const bytes: number[] = []
  const source = Buffer.from(text)
  for (let i = 0; i < source.length; i++) {
    const char = String.fromCharCode(source[i]!)
    if (char === "%") {
      const digits = source.subarray(i + 1, i + 3).toString("latin1")
      if (!/^[0-9a-fA-F]{2}$/.test(digits))
        throw new Problem(`invalid URL escape ${goQuote(source.subarray(i, i + 3).toString())}`)
      const byte = Number.parseInt(digits, 16)
      if (part === "host" && byte < 0x80 && digits !== "25")
        throw new Problem(`invalid URL escape ${goQuote(`%${digits}`)}`)
      bytes.push(byte)
      i += 2
    } else if (char === "+" && part === "query") bytes.push(0x20)
    else {
      if ((part === "host" || part === "zone") && source[i]! < 0x80 && !hostCharacter.test(char)) {
        throw new Problem(`invalid character ${goQuote(char)} in host name`)
      }
      bytes.push(source[i]!)
    }
  }
  return Buffer.from(bytes).toString()
}

function escapePath(path: string): string {
  return Array.from(Buffer.from(path), (byte) => {
    const char = String.fromCharCode(byte)
    return byte < 0x80 && /[A-Za-z0-9\-_.~$&+,/:;=@]/.test(char)
      ? char
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
  }).join("")
}

/** The path with its escapes: as written, if that was right. */
export function escapedPath({ path, rawPath }: ParsedURL): string {
  if (rawPath !== "" && /^(?:[A-Za-z0-9\-_.~!$&'()*+,;=:@/[\]]|%[0-9a-fA-F]{2})*$/.test(rawPath))
    return rawPath
  return path === "*" ? "*" : escapePath(path)
}

export function hostname({ host }: ParsedURL): string {
  const bare = host.replace(/:\d*$/, (port, at: number) =>
    host[0] !== "[" || host[at - 1] === "]" ? "" : port,
  )
  return bare.startsWith("[") && bare.endsWith("]") ? bare.slice(1, -1) : bare
}

export function port({ host }: ParsedURL): string {
  const match = /(?:^[^[\]]*|\]):(\d*)$/.exec(host)
  return match?.[1] ?? ""
}

/** Names with their values; what is malformed is left out. */
export function queryOf({ rawQuery }: ParsedURL): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const pair of rawQuery.split("&")) {
    if (pair === "" || pair.includes(";")) continue
    const equals = pair.indexOf("=")
    try {
      const name = unescapeURL(equals < 0 ? pair : pair.slice(0, equals), "query")
      const value = unescapeURL(equals < 0 ? "" : pair.slice(equals + 1), "query")
      found.set(name, [...(found.get(name) ?? []), value])
    } catch (error) {
      if (!(error instanceof Problem)) throw error
    }
  }
  return found
}

/** The whole, as Go prints it: what compares two. */
export function urlText(url: ParsedURL): string {
  let text = url.scheme === "" ? "" : `${url.scheme}:`
  if (url.opaque !== "") text += url.opaque
  else {
    if (url.scheme !== "" || url.host !== "" || url.user !== undefined) {
      if (url.host !== "" || url.path !== "" || url.user !== undefined) text += "//"
      text += (url.user === undefined ? "" : `${url.user}@`) + url.host
    }
    text += escapedPath(url)
  }
  return (
    text +
    (url.forceQuery || url.rawQuery !== "" ? `?${url.rawQuery}` : "") +
    (url.fragment ? `#${url.fragment}` : "")
  )
}
