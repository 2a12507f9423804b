/** One event, and how backends write it. Mirrors: apiserver pkg/apis/audit/v1/types.go, pkg/audit/format.go */
import { formatMicroTime, goQuote, type Status } from "@knarr/apimachinery"
import type { Impersonated, UserInfo } from "../contract.ts"
import type { Level, Stage } from "./policy.ts"

export interface ObjectReference {
  resource?: string
  namespace?: string
  name?: string
  uid?: string
  apiGroup?: string
  apiVersion?: string
  resourceVersion?: string
  subresource?: string
}

/** What one stage of a request is told as. */
export interface AuditEvent {
  readonly level: Level
  readonly auditID: string
  readonly stage: Stage
  readonly requestURI: string
  readonly verb: string
  readonly user: UserInfo | undefined
  readonly impersonated: Impersonated | undefined
  readonly sourceIPs: readonly string[]
  readonly userAgent: string
  readonly objectRef: Readonly<ObjectReference> | undefined
  readonly responseStatus: Readonly<Partial<Status>> | undefined
  /** Documents, encoded as JSON. */
  readonly requestObject: string | undefined
  readonly responseObject: string | undefined
  /** Milliseconds since the epoch. */
  readonly receivedMs: number
  readonly stageMs: number
  readonly annotations: ReadonlyMap<string, string> | undefined
}

/** The event as a JSON document, with fields in Go's order. */
export function eventJson(event: AuditEvent): string {
  return `{"kind":"Event","apiVersion":"audit.k8s.io/v1",${fieldsOf(event)}}`
}

/** Several events as one document. */
export function eventListJson(events: readonly string[]): string {
  return `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[${events.join(",")}]}`
}

/** An event as an item of a list, which does not say its type. */
export function eventItemJson(event: AuditEvent): string {
  return `{${fieldsOf(event)}}`
}

const markup = /[<>&\u2028\u2029]/
const escapes: Readonly<Record<string, string>> = {
  "<": "\\u003c",
  ">": "\\u003e",
  "&": "\\u0026",
  "\u2028": "\\u2028",
  "\u2029": "\\u2029",
}

function fieldsOf(event: AuditEvent): string {
  const { impersonated, sourceIPs, objectRef, responseStatus, annotations } = event
  let text =
    `"level":"${event.level}","auditID":${JSON.stringify(event.auditID)},"stage":"${event.stage}",` +
    `"requestURI":${JSON.stringify(event.requestURI)},"verb":${JSON.stringify(event.verb)},` +
    `"user":${userJson(event.user)}`
  if (impersonated) {
    text += `,"impersonatedUser":${userJson(impersonated.user)}`
    const impersonationConstraint = impersonated.constraint
    if (impersonationConstraint !== "")
      text += `,"authenticationMetadata":${JSON.stringify({ impersonationConstraint })}`
  }
  if (sourceIPs.length > 0) text += `,"sourceIPs":${JSON.stringify(sourceIPs)}`
  if (event.userAgent !== "") text += `,"userAgent":${JSON.stringify(event.userAgent)}`
  if (objectRef) text += `,"objectRef":${JSON.stringify(objectRef, referenceFields)}`
  if (responseStatus) {
    const { status, message, reason, details, code } = responseStatus
    text += `,"responseStatus":${JSON.stringify({ metadata: {}, status, message, reason, details, code })}`
  }
  if (event.requestObject !== undefined) text += `,"requestObject":${event.requestObject}`
  if (event.responseObject !== undefined) text += `,"responseObject":${event.responseObject}`
  text +=
    `,"requestReceivedTimestamp":"${formatMicroTime(event.receivedMs)}"` +
    `,"stageTimestamp":"${formatMicroTime(event.stageMs)}"`
  if (annotations && annotations.size > 0) {
    const sorted = [...annotations].sort(([a], [b]) => (a < b ? -1 : 1))
    text += `,"annotations":${JSON.stringify(Object.fromEntries(sorted))}`
  }
  // Outside of texts JSON has none of these.
  return markup.test(text) ? text.replace(/[<>&\u2028\u2029]/g, (char) => escapes[char]!) : text
}

const referenceFields = [
  "resource",
  "namespace",
  "name",
  "uid",
  "apiGroup",
  "apiVersion",
  "resourceVersion",
  "subresource",
]

function userJson(user: UserInfo | undefined): string {
  if (!user) return "{}"
  const { name, uid, groups, extra } = user
  return JSON.stringify({
    username: name === "" ? undefined : name,
    uid: uid === "" ? undefined : uid,
    groups: groups.length === 0 ? undefined : groups,
    extra: extra && Object.keys(extra).length > 0 ? sortedFields(extra) : undefined,
  })
}

function sortedFields<T>(value: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The event as one line of text. */
export function legacyLine(event: AuditEvent): string {
  const { user } = event
  const other = event.impersonated?.user
  const username = user?.name || "<none>"
  const groups = user?.name && user.groups.length > 0 ? listOf(user.groups) : "<none>"
  const asGroups = other && other.groups.length > 0 ? listOf(other.groups) : "<lookup>"
  const namespace = event.objectRef?.namespace || "<none>"
  const response = event.responseStatus ? String(event.responseStatus.code ?? 0) : "<deferred>"
  const words: readonly (readonly [name: string, value: string])[] = [
    ["id", event.auditID],
    ["stage", event.stage],
    ["ip", event.sourceIPs[0] ?? "<unknown>"],
    ["method", event.verb],
    ["user", username],
    ["groups", groups],
    ["as", other ? other.name : "<self>"],
    ["asgroups", asGroups],
    ["user-agent", event.userAgent],
    ["namespace", namespace],
    ["uri", event.requestURI],
  ]
  const at = formatMicroTime(event.receivedMs).replace(/\.?0+Z$/, "Z")
  return `${at} AUDIT: ${words.map(([name, value]) => `${name}=${goQuote(value)}`).join(" ")} response="${response}"`
}

function listOf(items: readonly string[]): string {
  return items.map(goQuote).join(",")
}
