/** Reads request bodies. Mirrors: apiserver pkg/endpoints/handlers/{create,rest}.go, pkg/runtime/serializer/json */
import {
  badRequest,
  DecodeError,
  decodeJson,
  decodeObject,
  decodeProtobuf,
  type KubeObject,
  openProtobufEnvelope,
  strictErrorMessage,
  unsupportedMediaType,
} from "@knarr/apimachinery"
import { messageOf, parseJson, unboundedNumber } from "@knarr/base"
import type { Exchange, RequestContext } from "../../contract.ts"
import { isKnown, unregistered, wrongKind } from "../../registry/known-types.ts"
import type { FieldValidation, PatchType } from "../../registry/patch.ts"
import type { Shape } from "../../registry/verbs/shape.ts"
import { mediaTypes, protobufType } from "../../server/accept.ts"
import { parseYamlBody } from "./yaml-body.ts"

/** Who sent a body, and whether it is still wanted. */
type Caller = Pick<RequestContext, "user" | "signal">

/** The media type of a body, without parameters; JSON when it does not say. */
export function contentType(exchange: Exchange): string {
  const header = exchange.headers["content-type"]
  const text = (Array.isArray(header) ? header[0] : header) ?? ""
  const type = text.split(";")[0]!.trim().toLowerCase()
  return type === "" ? "application/json" : type
}

/** Decodes the body as an object of a kind. Throws 400 and 415 in upstream's words. */
export async function readObject<T extends KubeObject>(
  exchange: Exchange,
  expected: Shape,
  fieldValidation: FieldValidation,
  ctx: Pick<RequestContext, "user" | "warnings" | "signal">,
): Promise<T> {
  const type = contentType(exchange)
  if (!mediaTypes.includes(type)) throw unsupportedMediaType(mediaTypes)
  if (type === protobufType) return readProtobuf<T>(await exchange.body(), expected)
  const body = await exchange.body()
  // Nothing is an object without fields.
  const text = body.toString().trim() === "null" ? "{}" : body.toString()
  const options = { strict: fieldValidation !== "Ignore", keepEmpties: true }
  const yaml = type !== "application/json"
  const custom = expected.schema.reader !== undefined
  let strictErrors: readonly string[]
  let object: T
  try {
    if (custom && !yaml) checkNumbers(text)
    const decoded = yaml
      ? decodeObject<T>(expected.schema, await parseYaml(text, ctx), options)
      : decodeJson<T>(expected.schema, text, options)
    object = decoded.object
    strictErrors = decoded.strictErrors
  } catch (thrown) {
    // What is nested deeper than the stack is high.
    if (thrown instanceof RangeError)
      throw undecodable(body, text, yaml, expected, "invalid character '{' exceeded max depth")
    if (!(thrown instanceof DecodeError || thrown instanceof SyntaxError)) throw thrown
    throw undecodable(body, text, yaml, expected, thrown.message)
  }
  if (custom && !object.kind) throw withoutKind(body, text, expected)
  if (!custom) checkType(object, expected, () => (yaml ? object : parseJson(text)))
  if (strictErrors.length > 0) {
    if (fieldValidation === "Strict") {
      throw badRequest(cannotBeHandled(expected.kind, expected, strictErrorMessage(strictErrors)))
    }
    ctx.warnings.push(...strictErrors)
  }
  if (custom) checkVersion(object, expected)
  object.metadata ??= {} as T["metadata"]
  return object
}

/** Throws a DecodeError for a number that would be lost where no type says what it should be. */
function checkNumbers(text: string, where = "Go value"): void {
  let number: string | undefined
  try {
    number = unboundedNumber(text)
  } catch {
    // What is no JSON is told of by who reads it.
    return
  }
  if (number !== undefined)
    throw new DecodeError(`json: cannot unmarshal number ${number} into ${where} of type float64`)
}

/** Protobuf has no unknown fields to complain about. */
function readProtobuf<T extends KubeObject>(body: Buffer, expected: Shape): T {
  try {
    const { apiVersion, kind, raw } = openProtobufEnvelope(body)
    const { object } = decodeObject<T>(expected.schema, decodeProtobuf(expected.schema, raw))
    object.apiVersion = apiVersion
    object.kind = kind
    checkType(object, expected, () => object)
    object.metadata ??= {} as T["metadata"]
    return object
  } catch (thrown) {
    if (!(thrown instanceof DecodeError || thrown instanceof SyntaxError)) throw thrown
    throw badRequest(thrown.message)
  }
}

/** How it is said that YAML has a number that JSON has not. */
const noNumber = "json: unsupported value"

async function parseYaml(text: string, ctx: Caller): Promise<unknown> {
  try {
    return await parseYamlBody(text, ctx)
  } catch (thrown) {
    ctx.signal.throwIfAborted()
    const why = messageOf(thrown)
    throw new DecodeError(why.startsWith(noNumber) ? why : `error converting YAML to JSON: ${why}`)
  }
}

function cannotBeHandled(kind: string, expected: Shape, why: string): string {
  return `${kind} in version "${expected.version}" cannot be handled as a ${expected.kind}: ${why}`
}

const typeMeta =
  'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'

/** How Go's JSON decoder calls a value. */
function jsonType(value: unknown): string {
  if (Array.isArray(value)) return "array"
  return value === null ? "null" : typeof value === "boolean" ? "bool" : typeof value
}

function undecodable(body: Buffer, text: string, yaml: boolean, expected: Shape, why: string): Error {
  if (!yaml) {
    try {
      const value = parseJson(text) as { kind?: string }
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        why = `json: cannot unmarshal ${jsonType(value)} into Go value of type ${typeMeta}`
      } else {
        const wrong = Object.entries(value).find(([name, item]) => isTypeName(name) && !isText(item))
        if (!wrong) return badRequest(cannotBeHandled(value.kind || expected.kind, expected, why))
        why = `json: cannot unmarshal ${jsonType(wrong[1])} into Go struct field .${wrong[0]} of type string`
      }
    } catch {
      // Not JSON at all: upstream fails before it knows the kind.
    }
  }
  const stage = why.startsWith(noNumber) ? "" : "couldn't get version/kind; json parse error: "
  return badRequest(
    `the object provided is unrecognized (must be of type ${expected.kind}): ${stage}${why} (${summary(body)})`,
  )
}

function isTypeName(name: string): boolean {
  return name === "apiVersion" || name === "kind"
}

function isText(value: unknown): boolean {
  return typeof value === "string" || value === null
}

function summary(body: Buffer): string {
  const max = 30
  if (body.length === 0) return "<empty>"
  const more = body.length > max ? " ..." : ""
  return body.subarray(0, max).toString(body[0] === 0x7b ? "utf8" : "hex") + more
}

function withoutKind(body: Buffer, text: string, expected: Shape): Error {
  return badRequest(
    `the object provided is unrecognized (must be of type ${expected.kind}): ` +
      `Object 'Kind' is missing in '${text}' (${summary(body)})`,
  )
}

const apiVersionOf = ({ group, version }: Shape): string => (group === "" ? version : `${group}/${version}`)

/** Refuses another version than that of the path. */
function checkVersion(object: KubeObject, expected: Shape): void {
  const apiVersion = apiVersionOf(expected)
  if (object.apiVersion !== apiVersion)
    throw badRequest(
      `the API version in the data (${object.apiVersion ?? ""}) does not match the expected API version (${apiVersion})`,
    )
}

/** Fills in a missing type; refuses another one, of which `sent` tells all that was sent. */
function checkType(object: KubeObject, expected: Shape, sent: () => unknown): void {
  const apiVersion = apiVersionOf(expected)
  object.kind ||= expected.kind
  object.apiVersion ||= apiVersion
  const version = object.apiVersion.split("/").pop()!
  const refused = (why: string): Error =>
    badRequest(`${object.kind} in version "${version}" cannot be handled as a ${expected.kind}: ${why}`)
  if (object.kind !== expected.kind) throw refused(wrongKind(sent(), object, expected.group, expected.kind))
  if (object.apiVersion !== apiVersion && !isKnown(object)) throw refused(unregistered(object))
  checkVersion(object, expected)
}

/** The body of a patch, and the duplicate fields in it. Throws 400. */
export async function readPatch(
  exchange: Exchange,
  type: PatchType,
  ctx: Caller,
): Promise<{ value: unknown; strictErrors: readonly string[] }> {
  const text = (await exchange.body()).toString()
  if (type === "apply") {
    // Most clients send JSON, which is YAML, and much faster to read.
    if (text.startsWith("{")) {
      try {
        const value = parseJson(text) as unknown
        // A number that is none to Go is text in YAML.
        if (unboundedNumber(text) === undefined) return { value, strictErrors: [] }
      } catch {
        // YAML's flow style begins the same way.
      }
    }
    let value: unknown
    const duplicates: string[] = []
    try {
      value = await parseYamlBody(text, ctx, duplicates)
    } catch (thrown) {
      ctx.signal.throwIfAborted()
      throw badRequest(`error encoding patch: ${messageOf(thrown)}`)
    }
    if (value !== null && (typeof value !== "object" || Array.isArray(value)))
      throw badRequest(
        "error decoding patch: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal " +
          `${jsonType(value)} into Go value of type map[string]interface {}`,
      )
    return { value, strictErrors: duplicates }
  }
  try {
    const value = parseJson(text)
    checkNumbers(text, type === "json" ? "Go struct field jsonPatchOp.value" : "Go value")
    return { value, strictErrors: [] }
  } catch (thrown) {
    if (!(thrown instanceof DecodeError)) throw badRequest("invalid JSON patch")
    throw badRequest(`${type === "strategic" ? "" : "error decoding patch: "}${thrown.message}`)
  }
}
