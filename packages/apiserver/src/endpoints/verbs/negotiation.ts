/** Which form of an answer a client wants. Mirrors: apiserver pkg/endpoints/handlers/negotiation */
import { type Kind, notAcceptable, type StatusError, statusErrorFrom } from "@knarr/apimachinery"
import type { Exchange } from "../../contract.ts"
import type { Encoding } from "../../encoding/encoding.ts"
import { type Encodings, forReader } from "../../encoding/encodings.ts"
import { json } from "../../encoding/json.ts"
import {
  acceptOf,
  checkRouted,
  type Clause,
  isTransformed,
  mediaTypes,
  protobufType,
  takesStream,
} from "../../server/accept.ts"

export interface AnswerForm {
  readonly encoding: Encoding
  /** Instead of the object. */
  readonly as: "" | "Table" | "PartialObjectMetadata" | "PartialObjectMetadataList"
  /** The version of `as`: `v1` or `v1beta1`. */
  readonly version: string
}

const plain: AnswerForm = Object.freeze({ encoding: json, as: "", version: "" })

/** The form of an answer about objects of `of`. Throws 406 when the client takes none that there is. */
export function answerForm(
  exchange: Exchange,
  encodings: Encodings,
  of: Kind,
  kind: "object" | "list" | "watch" = "object",
): AnswerForm {
  const accept = acceptOf(exchange)
  if (accept === "" || accept === "*/*" || accept === "application/json") {
    const encoding = kind === "watch" ? json : forReader(json, exchange)
    return encoding === json ? plain : { ...plain, encoding }
  }
  const { mediaTypes: offered, streamTypes } = encodings
  const native = of.rules === "native"
  // Custom resources are not served by Go's router.
  if (native) checkRouted(exchange, kind === "object" ? offered : [...offered, ...streamTypes])
  const found = encodings.negotiate(accept, native ? takesNative : takesCustom)
  if (!found) throw notAcceptable(offered)
  if (kind === "watch" && !found.encoding.watch) throw notAcceptable(streamTypes)
  const encoding = kind === "watch" ? found.encoding : forReader(found.encoding, exchange)
  const { params } = found.clause
  return { encoding, as: (params.get("as") ?? "") as AnswerForm["as"], version: params.get("v") ?? "" }
}

/** What is no stored object has neither columns nor metadata. Throws 406 when a client asks for them. */
export function plainOnly(form: AnswerForm, encodings: Encodings): void {
  if (form.as !== "") throw notAcceptable(encodings.mediaTypes)
}

/** Throws 406 when one object is asked for as a list's metadata. */
export function checkOne(form: AnswerForm, kind: Kind): void {
  if (form.as !== "PartialObjectMetadataList") return
  if (kind.rules === "structural")
    throw statusErrorFrom({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: "content is not a list",
      code: 500,
    })
  throw notAcceptableAs(form, `not a list (${goType(kind)})`)
}

/** As {@link checkOne}, of a scale of something of `kind`. */
export function checkOneScale(form: AnswerForm, { rules }: Kind): void {
  if (form.as !== "PartialObjectMetadataList") return
  throw notAcceptableAs(form, `not a list (*${rules === "native" ? "autoscaling" : "v1"}.Scale)`)
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

/** Mirrors: apiserver pkg/endpoints/handlers/rest.go AllowsMediaTypeTransform */
function takesNative(clause: Clause, type: string): boolean {
  return takesStream(clause, type) && (!isTransformed(clause) || takesTransform(clause, type))
}

/** What has no shape that is known beforehand is no protobuf message; its metadata is one. */
function takesCustom(clause: Clause, type: string): boolean {
  return takesNative(clause, type) && (isTransformed(clause) || type !== protobufType)
}

function takesTransform({ params }: Clause, type: string): boolean {
  const version = params.get("v")
  if (params.get("g") !== "meta.k8s.io" || (version !== "v1" && version !== "v1beta1")) return false
  const as = params.get("as")
  if (as === "Table") return type !== protobufType
  return as === "PartialObjectMetadata" || as === "PartialObjectMetadataList"
}
