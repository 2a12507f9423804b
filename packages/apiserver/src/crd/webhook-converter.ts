/**
 * Converts custom resources by asking the webhook that their definition names. Only labels and annotations of the metadata
 * are the webhook's to change. Mirrors: apiextensions pkg/apiserver/conversion/webhook_converter.go
 */
import type { WebhookConversion } from "@knarr/api"
import { deepEqual, internalError, type Kind, type KubeObject } from "@knarr/apimachinery"
import { messageOf, uuid, type Random } from "@knarr/base"
import type { OutboundCall } from "../contract.ts"
import { askForReview } from "../outbound/review.ts"
import type { Converter } from "../registry/converter.ts"

const timeoutMs = 30_000
const versions = ["v1", "v1beta1"]

interface Review {
  readonly response?: {
    readonly uid?: string
    readonly result?: { readonly status?: string; readonly message?: string }
    readonly convertedObjects?: readonly unknown[]
  }
}

/** A converter that asks; what is in the wanted version already is not sent. */
export function webhookConverter(options: {
  readonly webhook: WebhookConversion
  readonly call: OutboundCall
  readonly random: Random
}): Converter {
  const { webhook } = options
  return {
    waits: true,
    convert(objects, to, signal) {
      const wanted = objects.filter(({ apiVersion }) => apiVersion !== to.apiVersion)
      if (wanted.length === 0) return objects
      return ask(options, webhook, wanted, to, signal).then((converted) => {
        let next = 0
        return objects.map((object) => (object.apiVersion === to.apiVersion ? object : converted[next++]!))
      })
    },
  }
}

async function ask(
  { call, random }: { readonly call: OutboundCall; readonly random: Random },
  webhook: WebhookConversion,
  objects: readonly KubeObject[],
  to: Kind,
  signal: AbortSignal,
): Promise<readonly KubeObject[]> {
  const what = `conversion webhook for ${objects[0]!.apiVersion}, Kind=${objects[0]!.kind}`
  const version = webhook.conversionReviewVersions.find((one) => versions.includes(one))
  const uid = uuid(random)
  const review = {
    kind: "ConversionReview",
    apiVersion: `apiextensions.k8s.io/${version}`,
    request: { uid, desiredAPIVersion: to.apiVersion, objects },
  }
  let converted: readonly unknown[]
  try {
    if (version === undefined) throw new Error("no supported conversion review versions")
    const options = { timeoutMs, tellTimeout: false }
    converted = read(
      (await askForReview(call, webhook.clientConfig ?? {}, review, options, signal)) as Review,
      uid,
    )
  } catch (thrown) {
    signal.throwIfAborted()
    throw internalError(`${what} failed: ${messageOf(thrown)}`)
  }
  if (converted.length !== objects.length)
    throw internalError(`${what} returned ${converted.length} objects, expected ${objects.length}`)
  return converted.map((one, i) => {
    try {
      return checked(one, objects[i]!, to)
    } catch (thrown) {
      throw internalError(`${what} returned invalid converted object at index ${i}: ${messageOf(thrown)}`)
    }
  })
}

function read({ response }: Review, uid: string): readonly unknown[] {
  if (!response) throw new Error("no response provided")
  if (response.uid !== uid)
    throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? "")}`)
  const { status = "", message } = response.result ?? {}
  if (status !== "Success")
    throw new Error(message || `response.result.status was '${status}', not 'Success'`)
  return response.convertedObjects ?? []
}

/** The object that came back, with the metadata that went; throws when it is another. */
function checked(value: unknown, sent: KubeObject, to: Kind): KubeObject {
  if (typeof value !== "object" || value === null) throw new Error("it is no object")
  const object = value as KubeObject
  if (object.apiVersion !== to.apiVersion)
    throw new Error(`invalid groupVersion (expected ${to.apiVersion}, received ${object.apiVersion})`)
  if (object.kind !== sent.kind)
    throw new Error(`invalid kind (expected ${sent.kind}, received ${object.kind})`)
  const { metadata } = object
  if (typeof metadata !== "object" || metadata === null)
    throw new Error("missing metadata in converted object")
  for (const name of ["name", "namespace", "uid"] as const)
    if (!deepEqual(metadata[name], sent.metadata[name]))
      throw new Error(
        `must have the same ${name === "uid" ? "UID" : name}: ${metadata[name]} != ${sent.metadata[name]}`,
      )
  const { labels, annotations } = metadata
  const kept: KubeObject["metadata"] = { ...sent.metadata }
  for (const [name, map] of [
    ["labels", labels],
    ["annotations", annotations],
  ] as const)
    if (map === undefined || map === null) delete kept[name]
    else kept[name] = map
  return { ...object, metadata: kept }
}
