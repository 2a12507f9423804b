/**
 * One question to one webhook. Mirrors: apiserver pkg/admission/plugin/webhook/{request,errors,validating,mutating}
 */
import {
  badRequest,
  goQuote,
  internalError,
  type Status,
  type StatusError,
  statusErrorFrom,
} from "@knarr/apimachinery"
import { messageOf, parseJson, TimeoutError, uuid } from "@knarr/base"
import { askForReview } from "../../outbound/review.ts"
import type { AdmissionAttributes, AdmissionDeps } from "../../contract.ts"
import { requestOf, type Seen } from "../expressions.ts"
import type { WebhookMetrics } from "../metrics.ts"
import type { Webhook } from "./configured.ts"

const reviewVersions = ["v1", "v1beta1"]
const defaultTimeoutSeconds = 10
/** The code of a Status about a webhook that cannot be asked, or that answers what is none. */
const unavailable = 503

/** What a webhook said. */
export interface Verdict {
  /** The operations of a JSON patch of the object, when it wants another. */
  readonly patch: readonly unknown[] | undefined
}

interface Response {
  readonly uid?: string
  readonly allowed?: boolean
  readonly status?: Partial<Status>
  readonly patch?: string
  readonly patchType?: string
  readonly warnings?: readonly string[]
  readonly auditAnnotations?: Readonly<Record<string, string>>
}

export interface Question {
  readonly webhook: Webhook
  readonly mutating: boolean
  readonly attributes: AdmissionAttributes
  /** The objects in the version in which it sees them. */
  readonly seen: Seen
  /** The annotation that tells of a failure which is ignored. */
  readonly failedOpenKey: string
}

/** Undefined when the webhook cannot be asked and that is to be ignored. Rejects with a StatusError to refuse the request. */
export async function askWebhook(
  question: Question,
  deps: AdmissionDeps,
  metrics: WebhookMetrics,
): Promise<Verdict | undefined> {
  const { webhook, attributes, mutating } = question
  const { name } = webhook
  const call = metrics.begin(name, mutating ? "admit" : "validating", attributes.operation)
  if (attributes.dryRun && webhook.sideEffects !== "None" && webhook.sideEffects !== "NoneOnDryRun") {
    metrics.rejected(call, "apiserver_internal_error", 0)
    metrics.answered(call, true, 0)
    throw badRequest(`admission webhook ${goQuote(name)} does not support dry run`)
  }
  let response: Response
  let patch: readonly unknown[] | undefined
  try {
    response = await send(question, deps)
    patch = patchOf(response)
  } catch (thrown) {
    attributes.signal?.throwIfAborted()
    const why = `failed calling webhook ${goQuote(name)}: ${messageOf(thrown)}`
    const ignored = webhook.failurePolicy === "Ignore"
    metrics.answered(call, !ignored, unavailable)
    if (!ignored) {
      metrics.rejected(call, "calling_webhook_error", unavailable)
      throw internalError(why)
    }
    metrics.failedOpen(call)
    attributes.annotate(question.failedOpenKey, name)
    deps.env.log.warn("A webhook failed and is ignored", { webhook: name, err: why })
    return undefined
  }
  for (const [key, value] of Object.entries(response.auditAnnotations ?? {}))
    attributes.annotate(`${name}/${key}`, value)
  attributes.warnings.push(...(response.warnings ?? []))
  if (response.allowed === true) {
    metrics.answered(call, false, 200)
    return { patch }
  }
  const refusal = denied(name, response.status)
  metrics.rejected(call, "no_error", refusal.status.code ?? 0)
  metrics.answered(call, true, refusal.status.code ?? 0)
  throw refusal
}

async function send(
  { webhook, attributes, seen, mutating }: Question,
  deps: AdmissionDeps,
): Promise<Response> {
  const version = webhook.admissionReviewVersions.find((one) => reviewVersions.includes(one))
  if (version === undefined)
    throw new Error(
      "could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)",
    )
  const uid = uuid(deps.env.random)
  const review = {
    kind: "AdmissionReview",
    apiVersion: `admission.k8s.io/${version}`,
    request: {
      uid,
      ...requestOf(attributes, seen),
      object: seen.object ?? null,
      oldObject: seen.oldObject ?? null,
    },
  }
  const timeoutMs = (webhook.timeoutSeconds ?? defaultTimeoutSeconds) * 1000
  const signal = attributes.signal ?? new AbortController().signal
  let read: { kind?: string; apiVersion?: string; response?: Response }
  try {
    const options = { timeoutMs, tellTimeout: true }
    read = (await askForReview(deps.call, webhook.clientConfig, review, options, signal)) as typeof read
  } catch (thrown) {
    throw new Error(`failed to call webhook: ${callFailure(thrown)}`, { cause: thrown })
  }
  const { response } = read
  const bad = (why: string): Error => new Error(`received invalid webhook response: ${why}`)
  if (!response) throw bad("webhook response was absent")
  if (version !== "v1") return mutating ? { ...response, patchType: "JSONPatch" } : response
  if (response.uid !== uid)
    throw bad(`expected response.uid=${goQuote(uid)}, got ${goQuote(response.uid ?? "")}`)
  if (read.kind !== review.kind || read.apiVersion !== review.apiVersion)
    throw bad(
      `expected webhook response of ${review.apiVersion}, Kind=${review.kind}, got ${read.apiVersion ?? ""}, Kind=${read.kind ?? ""}`,
    )
  const { patch, patchType } = response
  if (!mutating) {
    if (patch) throw bad("validating webhook may not return response.patch")
    if (patchType !== undefined) throw bad("validating webhook may not return response.patchType")
    return response
  }
  if (patch && patchType === undefined)
    throw bad("webhook returned response.patch but not response.patchType")
  if (!patch && patchType !== undefined)
    throw bad("webhook returned response.patchType but not response.patch")
  if (patchType === "") throw bad('webhook returned invalid response.patchType of ""')
  return response
}

/** Clients look for Go's words for what is late. */
function callFailure(thrown: unknown): string {
  if (!(thrown instanceof TimeoutError)) return messageOf(thrown)
  return `${thrown.message.replace(/^Timed out after \d+ ms: /, "")}: context deadline exceeded`
}

function patchOf({ allowed, patch, patchType }: Response): readonly unknown[] | undefined {
  if (!patch || allowed !== true) return undefined
  let read: unknown
  try {
    read = parseJson(Buffer.from(patch, "base64").toString())
  } catch (thrown) {
    throw new Error(`received undecodable patch in webhook response: ${messageOf(thrown)}`, { cause: thrown })
  }
  if (read === null) return undefined
  if (!Array.isArray(read)) throw new Error("received undecodable patch in webhook response: it is no list")
  if (read.length === 0) return undefined
  if (patchType !== "JSONPatch") throw new Error(`unsupported patch type ${goQuote(patchType ?? "")}`)
  return read
}

/** The refusal of a request that a webhook does not allow. Mirrors: errors/statuserror.go */
function denied(name: string, status: Partial<Status> = {}): StatusError {
  const by = `admission webhook ${goQuote(name)} denied the request`
  const why = status.message || status.reason
  return statusErrorFrom({
    ...status,
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    code: (status.code ?? 0) < 400 ? 400 : status.code!,
    message: why ? `${by}: ${why}` : `${by} without explanation`,
  } as Status)
}
