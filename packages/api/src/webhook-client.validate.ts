/** How webhooks are reached, of admission and of conversion. Mirrors: apiserver pkg/util/webhook/validation.go */
import { field, isDNS1123Subdomain, isValidPortNum } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"

interface ClientConfig {
  readonly url?: string | undefined
  readonly service?: ServiceReference | undefined
}

interface ServiceReference {
  readonly name?: string | undefined
  readonly namespace?: string | undefined
  readonly path?: string | undefined
  readonly port?: number | undefined
}

/** A webhook is reached by a URL or through a service. `path` is that of the configuration. */
export function validateClientConfig(path: string, config: ClientConfig | undefined): FieldError[] {
  const { url, service } = config ?? {}
  if ((url === undefined) === (service === undefined))
    return [field.required(path, "exactly one of url or service is required")]
  return service ? validateService(`${path}.service`, service) : validateURL(`${path}.url`, url!)
}

const form = "; desired format: https://host[/path]"

function validateURL(path: string, url: string): FieldError[] {
  const out: FieldError[] = []
  const parts = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(
    url,
  )
  const problem = problemOf(url, parts)
  if (!parts || problem) return [field.required(path, `url must be a valid URL: ${problem}${form}`)]
  const [, scheme = "", authority = "", , query = "", fragment = ""] = parts
  const at = authority.lastIndexOf("@")
  const host = authority.slice(at + 1)
  if (scheme.toLowerCase() !== "https")
    out.push(field.invalid(path, scheme.toLowerCase(), `'https' is the only allowed URL scheme${form}`))
  if (host === "") out.push(field.invalid(path, host, `host must be specified${form}`))
  if (at >= 0)
    out.push(field.invalid(path, authority.slice(0, at), "user information is not permitted in the URL"))
  if (fragment !== "") out.push(field.invalid(path, fragment, "fragments are not permitted in the URL"))
  if (query !== "") out.push(field.invalid(path, query, "query parameters are not permitted in the URL"))
  return out
}

/** What Go's net/url says of a text that is no URL. */
function problemOf(url: string, parts: RegExpExecArray | null): string | undefined {
  const parse = (why: string): string => `parse ${JSON.stringify(url)}: ${why}`
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\x00-\x1f\x7f]/.test(url)) return parse("net/url: invalid control character in URL")
  if (url.startsWith(":")) return parse("missing protocol scheme")
  const authority = parts?.[2] ?? ""
  const port = /:([^\]:]*)$/.exec(authority.slice(authority.lastIndexOf("@") + 1))?.[1]
  if (port !== undefined && !/^\d*$/.test(port))
    return parse(`invalid port ${JSON.stringify(`:${port}`)} after host`)
  if (/\s/.test(authority)) return parse('invalid character " " in host name')
  const escape = /%(?![0-9a-fA-F]{2}).{0,2}/s.exec(url)?.[0]
  return escape === undefined ? undefined : parse(`invalid URL escape ${JSON.stringify(escape)}`)
}

function validateService(path: string, service: ServiceReference): FieldError[] {
  const out: FieldError[] = []
  // Upstream's callers swap the two: what is missing is told of the other.
  if (!service.namespace) out.push(field.required(`${path}.name`, ""))
  if (!service.name) out.push(field.required(`${path}.namespace`, ""))
  const port = service.port ?? 0
  const why = isValidPortNum(port)
  if (why.length > 0) out.push(field.invalid(`${path}.port`, port, `port is not valid: ${why.join(", ")}`))
  const url = service.path ?? ""
  if (url === "" || url === "/") return out
  const wrong = (detail: string): number => out.push(field.invalid(`${path}.path`, url, detail))
  if (url === "//") {
    wrong("segment[0] may not be empty")
    return out
  }
  if (!url.startsWith("/")) wrong("must start with a '/'")
  const rest = url.slice(1)
  const steps = (rest.endsWith("/") ? rest.slice(0, -1) : rest).split("/")
  for (const [i, step] of steps.entries())
    if (step === "") wrong(`segment[${i}] may not be empty`)
    else for (const reason of isDNS1123Subdomain(step)) wrong(`segment[${i}]: ${reason}`)
  return out
}
