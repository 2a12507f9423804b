/** Which form of an answer a client wants. Mirrors: apiserver pkg/endpoints/handlers/negotiation */
import { type Kind, notAcceptable, type StatusError, statusErrorFrom } from "@knarr/apimachinery"
import type { Exchange } from "../../contract.ts"
import { acceptOf, checkRouted, mediaTypes, negotiate, type Clause } from "../../server/accept.ts"

const streamTypes = ["application/json;stream=watch"]
const listTypes: readonly string[] = [...mediaTypes, ...streamTypes]

export interface AnswerForm {
  readonly yaml: boolean
  /** Instead of the object. */
  readonly as: "" | "Table" | "PartialObjectMetadata" | "PartialObjectMetadataList"
  /** The version of `as`: `v1` or `v1beta1`. */
  readonly version: string
  readonly pretty: boolean
}

const plain: AnswerForm = Object.freeze({ yaml: false, as: "", version: "", pretty: false })

/** The form of an answer. Throws 406 when the client takes none that there is. */
export function answerForm(
  exchange: Exchange,
  userAgent: string,
  kind: "object" | "list" | "watch" = "object",
): AnswerForm {
  const pretty = kind !== "watch" && wantsPretty(exchange, userAgent)
  const accept = acceptOf(exchange)
  if (accept === "" || accept === "*/*" || accept === "application/json")
    return pretty ? { ...plain, pretty } : plain
  checkRouted(exchange, kind === "object" ? mediaTypes : listTypes)
  const found = negotiate(accept, isTransform)
  if (!found) throw notAcceptable(mediaTypes)
  const yaml = found.type === "application/yaml"
  if (yaml && kind === "watch") throw notAcceptable(streamTypes)
  const { params } = found.clause
  return { yaml, as: (params.get("as") ?? "") as AnswerForm["as"], version: params.get("v") ?? "", pretty }
}

/** What is no stored object has neither columns nor metadata. Throws 406 when a client asks for them. */
export function plainOnly(form: AnswerForm): void {
  if (form.as !== "") throw notAcceptable(mediaTypes)
}

/** Throws 406 when one object is asked for as a list's metadata. */
export function checkOne(form: AnswerForm, kind: Kind): void {
  if (form.as !== "PartialObjectMetadataList") return
  throw notAcceptableAs(form, `not a list (${goType(kind)})`)
}

/** Throws 406 when a list is asked for as one object's metadata. */
export function checkMany(form: AnswerForm, kind: Kind): void {
  if (form.as !== "PartialObjectMetadata") return
  throw notAcceptableAs(form, `a list (${goType(kind)}List)`)
}

function notAcceptableAs(form: AnswerForm, what: string): StatusError {
  const { status } = notAcceptable(mediaTypes)
  return statusErrorFrom({
    ...status,
    message: `you requested ${form.as}, but the requested object is ${what}`,
  })
}

/** How Go calls the internal type of a kind. */
function goType({ group, kind, rules }: Kind): string {
  return rules === "native" ? `*${group.split(".", 1)[0] || "core"}.${kind}` : "*unstructured.Unstructured"
}

function isTransform({ params }: Clause): boolean {
  const stream = params.get("stream")
  if (stream !== undefined && stream !== "watch") return false
  const as = params.get("as") ?? ""
  if (as === "") return true
  const version = params.get("v")
  return (
    params.get("g") === "meta.k8s.io" &&
    (version === "v1" || version === "v1beta1") &&
    (as === "Table" || as === "PartialObjectMetadata" || as === "PartialObjectMetadataList")
  )
}

function wantsPretty(exchange: Exchange, userAgent: string): boolean {
  const asked = exchange.query.get("pretty")
  if (asked !== null && asked !== "") return /^(1|t|true)$/i.test(asked)
  return userAgent.startsWith("curl") || userAgent.startsWith("Wget") || userAgent.startsWith("Mozilla/5.0")
}
