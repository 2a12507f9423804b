/** Which form of an answer a client wants. Mirrors: apiserver pkg/endpoints/handlers/negotiation */
import { type Kind, notAcceptable, type StatusError, statusErrorFrom } from "@knarr/apimachinery"
import type { Exchange } from "../../contract.ts"
import type { Encoding } from "../../encoding/encoding.ts"
import { type Encodings, forReader } from "../../encoding/encodings.ts"
import { json } from "../../encoding/json.ts"
import { acceptOf, checkRouted, type Clause, mediaTypes } from "../../server/accept.ts"

export interface AnswerForm {
  readonly encoding: Encoding
  /** Instead of the object. */
  readonly as: "" | "Table" | "PartialObjectMetadata" | "PartialObjectMetadataList"
  /** The version of `as`: `v1` or `v1beta1`. */
  readonly version: string
}

const plain: AnswerForm = Object.freeze({ encoding: json, as: "", version: "" })

/** The form of an answer. Throws 406 when the client takes none that there is. */
export function answerForm(
  exchange: Exchange,
  encodings: Encodings,
  kind: "object" | "list" | "watch" = "object",
): AnswerForm {
  const accept = acceptOf(exchange)
  if (accept === "" || accept === "*/*" || accept === "application/json") {
    const encoding = kind === "watch" ? json : forReader(json, exchange)
    return encoding === json ? plain : { ...plain, encoding }
  }
  const { mediaTypes: offered, streamTypes } = encodings
  checkRouted(exchange, kind === "object" ? offered : [...offered, ...streamTypes])
  const found = encodings.negotiate(accept, isTransform)
  if (!found) throw notAcceptable(offered)
  if (kind === "watch" && !found.encoding.watch) throw notAcceptable(streamTypes)
  const encoding = kind === "watch" ? found.encoding : forReader(found.encoding, exchange)
  const { params } = found.clause
  return { encoding, as: (params.get("as") ?? "") as AnswerForm["as"], version: params.get("v") ?? "" }
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
