/**
 * One question to one webhook. Mirrors: apiserver pkg/admission/plugin/webhook/{request,errors,validating,mutating}
 */
import {
  badRequest,
  goQuote,
  internalError,
  type Kind,
  type KubeObject,
  type Status,
  type StatusError,
  statusErrorFrom,
} from "@knarr/apimachinery"
import { messageOf, TimeoutError, uuid } from "@knarr/base"
import type { AdmissionAttributes, AdmissionDeps, OutboundTarget } from "../../contract.ts"
import type { Webhook } from "./match.ts"

const reviewVersions = ["v1", "v1beta1"]
const defaultTimeoutSeconds = 10

/** What a webhook said. */
export interface Verdict {
  /** A JSON patch of the object, when it wants another. */
  readonly patch: unknown
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
  readonly plugin: string
  readonly webhook: Webhook
  /** The version in which it sees the objects. */
  readonly kind: Kind
  readonly attributes: AdmissionAttributes
  readonly object: Readonly<KubeObject> | undefined
  readonly oldObject: Readonly<KubeObject> | undefined
}

/** Undefined when the webhook cannot be asked and that is to be ignored. Rejects with a StatusError to refuse the request. */
export async function askWebhook(question: Question, deps: AdmissionDeps): Promise<Verdict | undefined> {
  const { webhook, attributes } = question
  const { name } = webhook
  if (attributes.dryRun && webhook.sideEffects !== "None" && webhook.sideEffects !== "NoneOnDryRun")
    throw badRequest(
      `admission webhook ${goQuote(name)} does not support dry run because it has side effects`,
    )
  let response: Response
  try {
    response = await send(question, deps)
  } catch (thrown) {
    attributes.signal?.throwIfAborted()
    const why = `failed calling webhook ${goQuote(name)}: ${messageOf(thrown)}`
    if (webhook.failurePolicy !== "Ignore") throw internalError(why)
    deps.env.log.warn("A webhook failed and is ignored", { webhook: name, err: why })
    return undefined
  }
  for (const [key, value] of Object.entries(response.auditAnnotations ?? {}))
    attributes.annotate(`${name}/${key}`, value)
  attributes.warnings.push(...(response.warnings ?? []))
  if (response.allowed !== true) throw denied(name, response.status)
  return { patch: patchOf(response) }
}

async function send(
  { plugin, webhook, kind, attributes, object, oldObject }: Question,
  deps: AdmissionDeps,
): Promise<Response> {
  const version = webhook.admissionReviewVersions.find((one) => reviewVersions.includes(one))
  if (version === undefined)
    throw new Error(
      "could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)",
    )
  const uid = uuid(deps.env.random)
  const { requestKind, requestResource, subresource, user } = attributes
  const review = {
    kind: "AdmissionReview",
    apiVersion: `admission.k8s.io/${version}`,
    request: {
      uid,
      kind:
        kind === attributes.kind
          ? requestKind
          : { group: kind.group, version: kind.version, kind: kind.kind },
      resource: { group: kind.group, version: kind.version, resource: kind.plural },
      ...(subresource ? { subResource: subresource, requestSubResource: subresource } : {}),
      requestKind,
      requestResource,
      ...(attributes.name ? { name: attributes.name } : {}),
      ...(attributes.namespace ? { namespace: attributes.namespace } : {}),
      operation: attributes.operation,
      userInfo: {
        username: user.name,
        ...(user.uid ? { uid: user.uid } : {}),
        groups: user.groups,
        ...(user.extra ? { extra: user.extra } : {}),
      },
      object: object ?? null,
      oldObject: oldObject ?? null,
      dryRun: attributes.dryRun,
      options: attributes.options,
    },
  }
  const { caBundle } = webhook.clientConfig
  const timeoutSeconds = webhook.timeoutSeconds ?? defaultTimeoutSeconds
  const target = targetOf(webhook)
  const never = new AbortController().signal
  let answer
  try {
    answer = await deps.call(
      "url" in target ? { url: withTimeout(target.url, timeoutSeconds) } : target,
      JSON.stringify(review),
      {
        timeoutMs: timeoutSeconds * 1000,
        ...(caBundle ? { caBundle: Buffer.from(caBundle, "base64").toString() } : {}),
      },
      attributes.signal ?? never,
    )
  } catch (thrown) {
    throw new Error(`failed to call webhook: ${callFailure(thrown)}`, { cause: thrown })
  }
  if (answer.status !== 200)
    throw new Error(`failed to call webhook: the server answered with status ${answer.status}`)
  let read: { kind?: string; apiVersion?: string; response?: Response }
  try {
    read = JSON.parse(answer.body.toString()) as typeof read
  } catch (thrown) {
    throw new Error(`failed to call webhook: ${messageOf(thrown)}`, { cause: thrown })
  }
  const bad = (why: string): Error => new Error(`received invalid webhook response: ${why}`)
  if (read.kind !== review.kind || read.apiVersion !== review.apiVersion)
    throw bad(
      `expected webhook response of ${review.apiVersion}, Kind=${review.kind}, got ${read.apiVersion ?? ""}, Kind=${read.kind ?? ""}`,
    )
  if (!read.response) throw bad("webhook response was absent")
  if (version === "v1" && read.response.uid !== uid)
    throw bad(`expected response.uid=${goQuote(uid)}, got ${goQuote(read.response.uid ?? "")}`)
  if (plugin === "ValidatingAdmissionWebhook" && read.response.patch)
    throw bad("validating webhooks may not change the object")
  if (read.response.patch && read.response.patchType !== "JSONPatch")
    throw bad(`invalid patchType: ${goQuote(read.response.patchType ?? "")}, expected "JSONPatch"`)
  return read.response
}

/** Clients look for Go's words for what is late. */
function callFailure(thrown: unknown): string {
  if (!(thrown instanceof TimeoutError)) return messageOf(thrown)
  return `${thrown.message.replace(/^Timed out after \d+ ms: /, "")}: context deadline exceeded`
}

/** Webhooks are told how long they may take. */
function withTimeout(url: string, seconds: number): string {
  const at = new URL(url)
  at.searchParams.set("timeout", `${seconds}s`)
  return at.href
}

function targetOf({ clientConfig, timeoutSeconds = defaultTimeoutSeconds }: Webhook): OutboundTarget {
  if (clientConfig.url !== undefined) return { url: clientConfig.url }
  const { service } = clientConfig
  if (!service) return { url: "" }
  return { service: { ...service, path: `${service.path ?? "/"}?timeout=${timeoutSeconds}s` } }
}

function patchOf({ patch }: Response): unknown {
  if (!patch) return undefined
  return JSON.parse(Buffer.from(patch, "base64").toString())
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
