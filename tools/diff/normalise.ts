/**
 * Takes out of an answer what differs from one server, run or moment to the next: identities, times, revisions,
 * generated names, allocated addresses and ports, signatures. What is left must be equal.
 */
import { isProtobuf, protobufText } from "./protobuf-text.ts"
import type { RawAnswer } from "./script.ts"

/** Piece to text; the piece "" is the whole. */
export type Answer = Readonly<Record<string, string>>

const uuid = /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g
/** The years in which this may run; times that requests bring along are older. */
const time = /\b20(2[5-9]|3\d)-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g
const printedTime = /\b20(2[5-9]|3\d)-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} \w+( m=\S+)?/g
const address = /\b10\.96\.\d+\.\d+\b/g
/** Where the servers listen; the published one does not advertise a loopback address. */
const loopback = /\b(127\.0\.0\.1|192\.0\.2\.1):\d+/g
const token = /\beyJ[\w-]+\.[\w-]+\.[\w-]+/g
const age = /^(<invalid>|(\d+[smh])+)$/
/** A cell of a table in YAML. */
const ageLine = /^( *- )(?:<invalid>|(?:\d+[smh])+)$/gm
const revisionInText = /\b(resource ?version|revision|resourceVersionMatch)(:? ?"?|="?|\\?":\\?")\d+/gi
const currentInText = /(Too large resource version: )\S+, current: \d+/g
const documentHash = /(\?hash=)[0-9A-F]+/g
const recorded = /(the ResourceVersion in record \()\d+\)/g
const certificateHash = /\bX509SHA256=[0-9a-f]{64}\b/g
const accessVolume = /\bkube-api-access-[a-z0-9]{5}\b/g
const modified =
  /precondition failed: ResourceVersion in precondition: \S+ResourceVersion in object meta: \d+/g

function normaliseText(text: string): string {
  return (text.includes("columnDefinitions:\n") ? text.replace(ageLine, "$1AGE") : text)
    .replace(uuid, "UID")
    .replace(time, "TIME")
    .replace(printedTime, "TIME")
    .replace(token, "TOKEN")
    .replace(documentHash, "$1HASH")
    .replace(address, "ADDRESS")
    .replace(loopback, "SERVER")
    .replace(certificateHash, "X509SHA256=HASH")
    .replace(modified, "STALE")
    .replace(currentInText, "$1RV, current: RV")
    .replace(recorded, "$1RV)")
    .replace(accessVolume, "kube-api-access-SUFFIX")
    .replace(versionInMeta, "$1RV")
    .replace(revisionInText, "$1$2RV")
}

const versionInMeta =
  /(recondition failed: ResourceVersion in precondition: \d+, ResourceVersion in object meta: )\d+/g

/** Lists whose order is that of a map. */
const unordered = new Set(["resourceRules", "nonResourceRules"])

/** A group that a script has defined: whether it is still there depends on which scripts ran. */
function isOfScript(group: unknown): boolean {
  const { name } = (group ?? {}) as { name?: unknown }
  return typeof name === "string" && name.endsWith(".example.com")
}

/** What a server says of a FlowSchema in its own time: the condition and its owner are left out. */
function withoutDangling(object: Record<string, unknown>): void {
  const drop = (name: string, isIt: (item: Record<string, unknown>) => boolean): void => {
    const items = object[name]
    if (!Array.isArray(items) || !items.some(isIt)) return
    const left = items.filter((item) => !isIt(item as Record<string, unknown>))
    if (left.length > 0) object[name] = left
    else delete object[name]
  }
  drop("conditions", ({ type }) => type === "Dangling")
  drop("managedFields", ({ manager }) => manager === "api-priority-and-fairness-config-consumer-v1")
}

/** A copy with its keys in order. `path` is the names on the way, without indices. */
function normalise(value: unknown, key = "", inTable = false): unknown {
  if (Array.isArray(value)) {
    const items = key === "groups" ? value.filter((group) => !isOfScript(group)) : value
    return items.map((item) => normalise(item, key, inTable))
  }
  if (typeof value === "object" && value !== null) {
    const from = value as Record<string, unknown>
    const table = inTable || from["kind"] === "Table"
    const to: Record<string, unknown> = {}
    for (const name of Object.keys(from).sort()) {
      const item = normalise(from[name], name, table)
      to[name] = unordered.has(name) && Array.isArray(item) ? item.toSorted(byText) : item
    }
    withoutDangling(to)
    // Their order depends on whether a second ended between two writes.
    if (Array.isArray(to["managedFields"])) to["managedFields"] = to["managedFields"].toSorted(byText)
    return to
  }
  if (typeof value === "number") {
    if (key === "nodePort" || key === "healthCheckNodePort")
      return value >= 30000 && value <= 33999 ? "PORT" : value
  }
  if (typeof value !== "string") return value
  if (key === "resourceVersion" && /^[1-9]\d*$/.test(value)) return "RV"
  if (key === "continue" && value !== "") return "CONTINUE"
  if (key === "name" || key === "generateName" || key === "hash") {
    const generated = /^(.*-)?generated-[a-z0-9]{5}$/.exec(value)
    if (generated) return `${generated[1] ?? ""}generated-SUFFIX`
  }
  if (inTable && key === "cells" && age.test(value)) return "AGE"
  if (key === "caBundle" || key === "certificate") return value.slice(0, 12)
  return normaliseText(value).replace(/\bgenerated-[a-z0-9]{5}\b/g, "generated-SUFFIX")
}

function byText(a: unknown, b: unknown): number {
  return JSON.stringify(a) < JSON.stringify(b) ? -1 : 1
}

/** A parameter's key in a document, behind its name a hash in which its text has a part. */
const sharedKey = /^(\w+)-[\w-]{8}$/
const sharedReference = /^(#\/parameters\/\w+)-[\w-]{8}$/

/** The texts of documentation, which are not what is compared. */
function withoutTexts(value: unknown, parent = ""): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutTexts(item))
  if (typeof value === "string") return value.replace(sharedReference, "$1")
  if (typeof value !== "object" || value === null) return value
  const to: Record<string, unknown> = {}
  for (const [name, item] of Object.entries(value))
    if (parent === "properties" || name !== "description" || typeof item !== "string")
      to[parent === "parameters" ? name.replace(sharedKey, "$1") : name] = withoutTexts(item, name)
  return to
}

function isOpenApi(value: unknown): boolean {
  return typeof value === "object" && value !== null && ("swagger" in value || "openapi" in value)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Lines of JSON, as a watch answers. */
function parseLines(text: string): unknown {
  const lines = text.split("\n").filter((line) => line !== "")
  if (lines.length < 2) return undefined
  const values = lines.map(parse)
  return values.every((value) => typeof value === "object" && value !== null) ? { lines: values } : undefined
}

export function normaliseAnswer(raw: RawAnswer, pieces?: readonly string[], metrics?: boolean): Answer {
  const head = { status: raw.status, type: raw.type, warnings: raw.warnings.map(normaliseText).sort() }
  const text = isProtobuf(raw.type) ? protobufText(raw.type, Buffer.from(raw.body, "base64")) : raw.body
  if (metrics && raw.status === 200) return metricPieces(head, text)
  if (pieces === undefined) {
    let body = parse(text) ?? parseLines(text)
    if (isOpenApi(body)) body = withoutTexts(body)
    return {
      "": JSON.stringify({ ...head, body: body === undefined ? normaliseText(text) : normalise(body) }),
    }
  }
  const body = parse(text)
  if (typeof body !== "object" || body === null)
    return { "": JSON.stringify({ ...head, body: normaliseText(text) }) }
  const plain = normalise(withoutTexts(body)) as Record<string, unknown>
  const answer: Record<string, string> = {}
  for (const at of pieces) {
    const keys = at === "" ? [] : at.split(".")
    const parent = keys.slice(0, -1).reduce<any>((from, key) => from?.[key], plain)
    const target = keys.length === 0 ? plain : parent?.[keys.at(-1)!]
    if (typeof target !== "object" || target === null) continue
    for (const [key, item] of Object.entries(target as object)) {
      const name = Array.isArray(target) ? nameOf(item, key) : key
      answer[`${at}/${name}`] = JSON.stringify(item)
    }
    if (keys.length > 0) parent[keys.at(-1)!] = "PIECES"
  }
  answer[""] = JSON.stringify({ ...head, body: plain })
  return answer
}

function nameOf(item: unknown, index: string): string {
  if (typeof item === "string") return item
  const named = item as { name?: unknown; metadata?: { name?: unknown; namespace?: unknown } } | null
  const { name = named?.name, namespace } = named?.metadata ?? {}
  if (typeof name !== "string") return index
  return typeof namespace === "string" ? `${namespace}/${name}` : name
}

/** Metrics of Go's runtime and of libraries for Go: another language has none of them. */
const ofGo = /^(go|grpc|etcd|rest_client)_/

function metricPieces(head: object, text: string): Answer {
  const answer: Record<string, string> = { "": JSON.stringify(head) }
  for (const [, name, type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    if (ofGo.test(name!)) continue
    const help = new RegExp(`^# HELP ${name} \\[(\\w+)`, "m").exec(text)
    answer[`/${name}`] = JSON.stringify({ type, stability: help?.[1] ?? "" })
  }
  return answer
}
