/**
 * What is known of one request while it is recorded, and the events that tell of it. Without audit no request has one.
 * Mirrors: apiserver pkg/audit/{context,request}.go, pkg/endpoints/filters/audit.go
 */
import type { KubeObject, Status } from "@knarr/apimachinery"
import type { Annotate, Impersonated, RequestAudit, RequestInfo, UserInfo } from "../contract.ts"
import type { ObjectReference } from "./event.ts"
import type { Recording, Stage } from "./policy.ts"
import type { AuditMetrics, AuditSink } from "./sink.ts"
import { truncatedAnnotation } from "./truncate.ts"

/** The longest document of an event, in characters: what is longer is left out. */
const maxDocument = 8 * 1024 * 1024
const maxUserAgent = 1024

export interface RecordOptions {
  readonly recording: Recording
  readonly sink: AuditSink
  readonly metrics: AuditMetrics
  readonly now: () => number
  readonly auditID: string
  readonly requestURI: string
  readonly user: UserInfo | undefined
  readonly info: RequestInfo
  readonly sourceIPs: readonly string[]
  readonly userAgent: string
  readonly receivedMs: number
}

export class AuditRecord implements RequestAudit {
  readonly #options: RecordOptions
  readonly #reference: ObjectReference | undefined
  readonly #userAgent: string
  #impersonated: Impersonated | undefined
  #status: Partial<Status> | undefined
  #requestObject: string | undefined
  #responseObject: string | undefined
  #annotations: Map<string, string> | undefined
  #ended = false

  constructor(options: RecordOptions) {
    this.#options = options
    const { info, userAgent } = options
    this.#userAgent =
      userAgent.length > maxUserAgent ? `${userAgent.slice(0, maxUserAgent)}...TRUNCATED` : userAgent
    if (!info.isResourceRequest) return
    const { resource, namespace, name, apiGroup, apiVersion, subresource } = info
    const reference = { resource, namespace, name, apiGroup, apiVersion, subresource }
    this.#reference = Object.fromEntries(Object.entries(reference).filter(([, text]) => text !== ""))
  }

  get takesRequest(): boolean {
    const { level } = this.#options.recording
    return level === "Request" || level === "RequestResponse"
  }

  get takesResponse(): boolean {
    return this.#options.recording.level === "RequestResponse"
  }

  readonly annotate: Annotate = (key, value, level) => {
    if (level === "Request" && !this.takesRequest) return
    this.#annotations ??= new Map()
    if (!this.#annotations.has(key)) this.#annotations.set(key, value)
  }

  refer(object: Readonly<KubeObject>): void {
    const reference = this.#reference
    if (!reference) return
    const { namespace, name, uid, resourceVersion } = object.metadata ?? {}
    if (namespace) reference.namespace ??= namespace
    if (name) reference.name ??= name
    if (uid) reference.uid ??= uid
    if (resourceVersion) reference.resourceVersion ??= resourceVersion
  }

  request(document: unknown): void {
    if (this.takesRequest) this.#requestObject = this.#documentOf(document)
  }

  response(content: Buffer | object): void {
    if (!Buffer.isBuffer(content) && (content as Partial<Status>).kind === "Status") {
      const { status, message, reason, details, code } = content as Status
      this.#status = { status, message, reason, details, code }
    }
    if (this.takesResponse) this.#responseObject = this.#documentOf(content)
  }

  responseText(text: string): void {
    if (text.length <= maxDocument) this.#responseObject = text
    else this.tooLong()
  }

  itemText(content: Buffer | object): string {
    const { omitManagedFields } = this.#options.recording
    if (Buffer.isBuffer(content) && !omitManagedFields) return content.toString()
    const value = Buffer.isBuffer(content) ? (JSON.parse(content.toString()) as object) : content
    return JSON.stringify(omitManagedFields ? withoutManagedFields(value) : value)
  }

  get maxDocument(): number {
    return maxDocument
  }

  tooLong(): void {
    this.annotate(truncatedAnnotation, "true")
  }

  impersonated(as: Impersonated): void {
    this.#impersonated = as
  }

  /** False when the request must not go on. */
  received(): boolean | Promise<boolean> {
    return this.#tell("RequestReceived", this.#options.receivedMs)
  }

  /** An answer begins; what is long in coming is told of now. */
  began(code: number, isLongRunning: boolean): void {
    this.#status = { ...this.#status, code }
    if (isLongRunning) void this.#tell("ResponseStarted", this.#options.now())
  }

  /** The answer is complete, or broken off. */
  ended(isLongRunning: boolean): void {
    if (this.#ended) return
    this.#ended = true
    if (!this.#status) {
      this.#status = { status: "Success", message: "Connection closed early", code: 200 }
      if (isLongRunning) void this.#tell("ResponseStarted", this.#options.now())
    }
    void this.#tell("ResponseComplete", this.#options.now())
  }

  /** The server has failed in a way that it does not know. */
  panicked(message: string): void {
    if (this.#ended) return
    this.#ended = true
    this.#status = {
      status: "Failure",
      message: `APIServer panic'd: ${message}`,
      reason: "InternalError",
      code: 500,
    }
    void this.#tell("Panic", this.#options.now())
  }

  #documentOf(document: unknown): string | undefined {
    const text = this.itemText(document as object)
    if (text.length <= maxDocument) return text
    this.tooLong()
    return undefined
  }

  #tell(stage: Stage, stageMs: number): boolean | Promise<boolean> {
    const { recording, sink, metrics, auditID, requestURI, info, user, sourceIPs, receivedMs } = this.#options
    if (recording.omitStages.has(stage)) return true
    metrics.events.add(1)
    return sink.take({
      level: recording.level,
      auditID,
      stage,
      requestURI,
      verb: info.verb,
      user,
      impersonated: this.#impersonated,
      sourceIPs,
      userAgent: this.#userAgent,
      objectRef: this.#reference && { ...this.#reference },
      responseStatus: this.#status,
      requestObject: this.#requestObject,
      responseObject: this.#responseObject,
      receivedMs,
      stageMs,
      annotations: this.#annotations,
    })
  }
}

interface Document {
  readonly metadata?: { readonly managedFields?: unknown } | null
  readonly items?: readonly object[]
  readonly rows?: readonly object[]
  readonly cells?: unknown
  readonly object?: object | null
}

/** A document without who set which field, in it, in its items and in the objects of its rows. */
function withoutManagedFields(value: object): object {
  if (Array.isArray(value)) return value
  const { metadata, items, rows, cells, object } = value as Document
  const out: Record<string, unknown> = { ...value }
  if (metadata) {
    const { managedFields: _, ...kept } = metadata
    out["metadata"] = kept
  }
  if (Array.isArray(items)) out["items"] = items.map(withoutManagedFields)
  if (Array.isArray(rows)) out["rows"] = rows.map(withoutManagedFields)
  if (cells && object) out["object"] = withoutManagedFields(object)
  return out
}
