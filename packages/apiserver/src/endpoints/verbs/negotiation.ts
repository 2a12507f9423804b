/** Which form of an answer a client wants. Mirrors: apiserver pkg/endpoints/handlers/negotiation */
import { notAcceptable } from "@knarr/apimachinery"
import type { Exchange } from "../../contract.ts"

/** In the order in which they are offered. */
export const mediaTypes = ["application/json", "application/yaml"] as const
const streamTypes = ["application/json"] as const

export interface AnswerForm {
  readonly yaml: boolean
  /** Instead of the object. */
  readonly as: "" | "Table" | "PartialObjectMetadata" | "PartialObjectMetadataList"
  /** The version of `as`: `v1` or `v1beta1`. */
  readonly version: string
  readonly pretty: boolean
}

interface Clause {
  readonly type: string
  readonly params: ReadonlyMap<string, string>
  readonly quality: number
}

const plain: AnswerForm = Object.freeze({ yaml: false, as: "", version: "", pretty: false })
const parsed = new Map<string, readonly Clause[]>()

/** The form of an answer; `watch` for streams. Throws 406 when the client takes none that there is. */
export function answerForm(exchange: Exchange, userAgent: string, watch = false): AnswerForm {
  const pretty = !watch && wantsPretty(exchange, userAgent)
  const header = exchange.headers.accept
  const text = Array.isArray(header) ? header.join(",") : (header ?? "")
  if (text === "" || text === "*/*" || text === "application/json") {
    return pretty ? { ...plain, pretty } : plain
  }
  let known = false
  for (const { type, params } of clausesOf(text)) {
    known ||= mediaTypes.some((offered) => matches(type, offered))
    const as = params.get("as") ?? ""
    if (as !== "" && !transforms(as, params)) continue
    for (const offered of watch ? streamTypes : mediaTypes) {
      if (!matches(type, offered)) continue
      const yaml = offered === "application/yaml"
      return { yaml, as: as as AnswerForm["as"], version: params.get("v") ?? "", pretty }
    }
  }
  if (!known) {
    // What Go's router says before the request comes to the handler.
    const error = notAcceptable(mediaTypes)
    error.status.message =
      error.message = `406: Not Acceptable\n\nAvailable representations: ${mediaTypes.join(", ")}`
    error.status.details = {}
    throw error
  }
  throw notAcceptable(watch ? streamTypes.map((type) => `${type};stream=watch`) : mediaTypes)
}

/** What is no stored object has neither columns nor metadata. Throws 406 when a client asks for them. */
export function plainOnly(form: AnswerForm): void {
  if (form.as !== "") throw notAcceptable(mediaTypes)
}

function transforms(as: string, params: ReadonlyMap<string, string>): boolean {
  const version = params.get("v")
  return (
    params.get("g") === "meta.k8s.io" &&
    (version === "v1" || version === "v1beta1") &&
    (as === "Table" || as === "PartialObjectMetadata" || as === "PartialObjectMetadataList")
  )
}

function matches(wanted: string, offered: string): boolean {
  if (wanted === offered || wanted === "*/*") return true
  return wanted.endsWith("/*") && offered.startsWith(wanted.slice(0, -1))
}

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

function wantsPretty(exchange: Exchange, userAgent: string): boolean {
  const asked = exchange.query.get("pretty")
  if (asked !== null && asked !== "") return /^(1|t|true)$/i.test(asked)
  return userAgent.startsWith("curl") || userAgent.startsWith("Wget") || userAgent.startsWith("Mozilla/5.0")
}
