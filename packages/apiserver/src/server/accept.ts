/**
 * What clients take: the `Accept` header, as Go's router and as the handlers behind it read it.
 * Mirrors: go-restful route.go matchesAccept, apiserver pkg/endpoints/handlers/negotiation
 */
import { notAcceptable, type StatusError } from "@knarr/apimachinery"
import type { Exchange } from "../contract.ts"

export const protobufType = "application/vnd.kubernetes.protobuf"

/** Of documents that are no objects, in the order in which they are offered, and of what is sent. */
export const mediaTypes: readonly string[] = ["application/json", "application/yaml", protobufType]

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
 * The first clause that can be met, and with which of `offered`; `takes` says of the parameters of a clause whether they can,
 * for a type: by default not when it wants something else than a document.
 */
export function negotiate(
  accept: string,
  takes: (clause: Clause, type: string) => boolean = isPlain,
  offered: readonly string[] = mediaTypes,
): { readonly clause: Clause; readonly type: string } | undefined {
  for (const clause of clausesOf(accept === "" ? "*/*" : accept)) {
    for (const type of offered) if (matches(clause.type, type) && takes(clause, type)) return { clause, type }
  }
  return undefined
}

/** Whether a clause wants the object in another shape. */
export function isTransformed({ params }: Clause): boolean {
  return params.has("as") || params.has("g") || params.has("v")
}

/** Whether a clause wants no stream, or one of watch events, which YAML has not. */
export function takesStream({ params }: Clause, type: string): boolean {
  const stream = params.get("stream")
  return stream === undefined || (stream === "watch" && type !== "application/yaml")
}

function isPlain(clause: Clause, type: string): boolean {
  return !isTransformed(clause) && takesStream(clause, type)
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

/** Mirrors: goautoneg ParseAccept */
function clausesOf(text: string): readonly Clause[] {
  const known = parsed.get(text)
  if (known) return known
  const clauses: Clause[] = []
  for (const part of text.split(",")) {
    const [range = "", ...rest] = part.split(";")
    const names = range.split("/").map(trim)
    const type = names.length === 1 && names[0] === "*" ? "*/*" : names.join("/")
    if (type !== "*/*" && (names.length !== 2 || names[1] === "")) continue
    const params = new Map<string, string>()
    let quality = 1
    for (const word of rest) {
      const [name, value, more] = word.split("=") as [string, string?, string?]
      if (!value || more !== undefined) continue
      if (trim(name) === "q") quality = /^[\d.]+$/.test(value) ? Number(value) || 0 : 0
      else params.set(trim(name), trim(value))
    }
    const clause = { type, params, quality }
    // Go's order is none that can be sorted by: what comes first depends on how it sorts.
    let at = clauses.length
    while (at > 0 && isBefore(clause, clauses[at - 1]!)) at--
    clauses.splice(at, 0, clause)
  }
  if (parsed.size > 1000) parsed.clear()
  if (text.length <= 1024) parsed.set(text, clauses)
  return clauses
}

const trim = (text: string): string => text.replace(/^ +| +$/g, "")

function isBefore(a: Clause, b: Clause): boolean {
  if (a.quality > b.quality) return true
  if (a.type !== "*/*" && b.type === "*/*") return true
  return !a.type.endsWith("/*") && b.type.endsWith("/*")
}
