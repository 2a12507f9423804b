/**
 * Reviews that programs outside are asked for, as the fields `clientConfig` of webhooks say: where, and of whom the
 * certificate has to be. Mirrors: apiserver pkg/util/webhook/client.go
 */
import { parseJson } from "@knarr/base"
import type { OutboundCall, OutboundTarget } from "../contract.ts"

/** The `clientConfig` of an admission webhook or a conversion. */
export interface ReviewClientConfig {
  readonly url?: string | undefined
  readonly service?:
    | {
        readonly namespace: string
        readonly name: string
        readonly port?: number | undefined
        readonly path?: string | undefined
      }
    | undefined
  /** PEM, in base64. */
  readonly caBundle?: string | undefined
}

export interface ReviewOptions {
  readonly timeoutMs: number
  /** Whether the program is told how long it may take, in the query. */
  readonly tellTimeout: boolean
}

/** Sends a review and gives the document that came back. Rejects when there is none, or its status is not 200. */
export async function askForReview(
  call: OutboundCall,
  config: ReviewClientConfig,
  review: object,
  { timeoutMs, tellTimeout }: ReviewOptions,
  signal: AbortSignal,
): Promise<unknown> {
  const query = tellTimeout ? `timeout=${Math.ceil(timeoutMs / 1000)}s` : ""
  const { caBundle } = config
  const answer = await call(
    targetOf(config, query),
    JSON.stringify(review),
    { timeoutMs, ...(caBundle ? { caBundle: Buffer.from(caBundle, "base64").toString() } : {}) },
    signal,
  )
  if (answer.status !== 200) throw new Error(`the server answered with status ${answer.status}`)
  return parseJson(answer.body.toString()) as unknown
}

function targetOf({ url = "", service }: ReviewClientConfig, query: string): OutboundTarget {
  if (service)
    return { service: query === "" ? service : { ...service, path: `${service.path ?? "/"}?${query}` } }
  if (query === "") return { url }
  const at = new URL(url)
  const [name, value] = query.split("=") as [string, string]
  at.searchParams.set(name, value)
  return { url: at.href }
}
