/**
 * What clients take: the `Accept` header, as Go's router and as the handlers behind it read it.
 * Mirrors: go-restful route.go matchesAccept, apiserver pkg/endpoints/handlers/negotiation
 */
import { notAcceptable, type StatusError } from "@knarr/apimachinery"
import type { Exchange } from "../contract.ts"

/** Of documents that are no objects, in the order in which they are offered, and of what is sent. */
export const mediaTypes: readonly string[] = ["application/json", "application/yaml"]

export interface Clause {
  readonly type: string
  readonly params: ReadonlyMap<string, string>
  readonly quality: number
}

export function acceptOf(exchange: Exchange): string {
  const header = exchange.headers.accept
  return Array.isArray(header) ? header.join(",") : (header ?? "")
}

/** Throws 406 when no type is one of `produced`. The router knows neither `type/*` nor other cases, parameters or weights. */
export function checkRouted(exchange: Exchange, produced: readonly string[]): void {
  const accept = acceptOf(exchange)
  if (accept === "" || accept === "*/*" || accept === "application/json") return
  for (const part of accept.split(",")) {
    const type = part.split(";", 1)[0]!.trim()
    if (type === "*/*" || produced.includes(type)) return
  }
  throw routerNotAcceptable(produced)
}

function routerNotAcceptable(produced: readonly string[]): StatusError {
  const error = notAcceptable(produced)
  error.status.message =
    error.message = `406: Not Acceptable\n\nAvailable representations: ${produced.join(", ")}`
  error.status.details = {}
  return error
}

/**
 * The first clause that can be met, and with which of `offered`; `takes` says of the parameters of a clause whether they can:
 * by default not when it wants something else than a document.
 */
export function negotiate(
  accept: string,
  takes: (clause: Clause) => boolean = isPlain,
  offered: readonly string[] = mediaTypes,
): { readonly clause: Clause; readonly type: string } | undefined {
  for (const clause of clausesOf(accept === "" ? "*/*" : accept)) {
    if (!takes(clause)) continue
    const type = offered.find((one) => matches(clause.type, one))
    if (type) return { clause, type }
  }
  return undefined
}

function isPlain({ params }: Clause): boolean {
  return !params.has("as") && !params.has("stream")
}

/** Browsers and command-line tools get what people can read, as does `?pretty=true`. Mirrors: isPrettyPrint */
export function wantsPretty(exchange: Exchange): boolean {
  const asked = exchange.query.get("pretty")
  if (asked) return /^(1|t|true)$/i.test(asked)
  const agent = exchange.headers["user-agent"]
  return typeof agent === "string" && /^(curl|Wget|Mozilla\/5\.0)/.test(agent)
}

function matches(wanted: string, offered: string): boolean {
  if (wanted === offered || wanted === "*/*") return true
  return wanted.endsWith("/*") && offered.startsWith(wanted.slice(0, -1))
}

const parsed = new Map<string, readonly Clause[]>()

function clausesOf(text: string): readonly Clause[] {
  const known = parsed.get(text)
  if (known) return known
  const clauses = text.split(",").map((part): Clause => {
    const [type = "", ...rest] = part.split(";").map((word) => word.trim())
    const params = new Map<string, string>()
    for (const word of rest) {
      const eq = word.indexOf("=")
      if (eq > 0) params.set(word.slice(0, eq).toLowerCase(), word.slice(eq + 1).replace(/^"(.*)"$/, "$1"))
    }
    const quality = Number(params.get("q") ?? 1)
    return { type: type.toLowerCase(), params, quality: Number.isNaN(quality) ? 1 : quality }
  })
  const ordered = clauses.filter(({ quality }) => quality > 0).sort((a, b) => b.quality - a.quality)
  if (parsed.size > 1000) parsed.clear()
  if (text.length <= 1024) parsed.set(text, ordered)
  return ordered
}
