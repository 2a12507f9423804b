/**
 * Asks a program outside whether a pod's images may run. Its answers are kept for a while.
 * Mirrors: plugin/pkg/admission/imagepolicy
 */
import type { Pod } from "@knarr/api"
import { formatGoDuration } from "@knarr/apimachinery"
import { messageOf, type Env } from "@knarr/base"
import { Lru } from "../authn/lru.ts"
import type { AdmissionAttributes, AdmissionPlugin } from "../contract.ts"
import { ReviewClient } from "../outbound/review-client.ts"
import { refusal } from "./refuse.ts"

interface Configuration {
  readonly kubeConfigFile?: string
  /** Seconds; 0 is the default, -1 keeps nothing. */
  readonly allowTTL?: number
  readonly denyTTL?: number
  /** Milliseconds. */
  readonly retryBackoff?: number
  /** What holds when there is no answer. */
  readonly defaultAllow?: boolean
}

interface ReviewStatus {
  readonly allowed?: boolean
  readonly reason?: string
  readonly auditAnnotations?: Readonly<Record<string, string>>
}

interface Prepared {
  readonly client: ReviewClient
  readonly allowMs: number
  readonly denyMs: number
  readonly defaultAllow: boolean
}

const keptAnswers = 1024
const askLimitMs = 30_000
const secondMs = 1000
const minuteMs = 60 * secondMs
const auditPrefix = "imagepolicywebhook.image-policy.k8s.io/"
const failedOpenAnnotation = "alpha.image-policy.k8s.io/failed-open"
const never = new AbortController().signal

/** Throws for what is out of range. */
function durationMs(
  value: number | undefined,
  scaleMs: number,
  range: { readonly minMs: number; readonly maxMs: number; readonly defaultMs: number },
): number {
  if (value === -1) return 0
  if (!value) return range.defaultMs
  const ms = value * scaleMs
  if (ms >= range.minMs && ms <= range.maxMs) return ms
  const [min, max, got] = [range.minMs, range.maxMs, ms].map(formatGoDuration)
  throw new Error(`valid value is between ${min} and ${max}, got ${got}`)
}

async function prepare(configuration: unknown, env: Pick<Env, "clock" | "random">): Promise<Prepared> {
  const { imagePolicy = {} } = (configuration ?? {}) as { imagePolicy?: Configuration }
  const range = { minMs: secondMs, maxMs: 30 * minuteMs }
  const waits = { minMs: 1e-6, maxMs: 5 * minuteMs, defaultMs: 500 }
  const firstWaitMs = durationMs(imagePolicy.retryBackoff, 1, waits)
  return {
    allowMs: durationMs(imagePolicy.allowTTL, secondMs, { ...range, defaultMs: 5 * minuteMs }),
    denyMs: durationMs(imagePolicy.denyTTL, secondMs, { ...range, defaultMs: 30 * secondMs }),
    defaultAllow: imagePolicy.defaultAllow === true,
    client: await ReviewClient.open(imagePolicy.kubeConfigFile ?? "", env, firstWaitMs),
  }
}

export const imagePolicyWebhook: AdmissionPlugin = {
  name: "ImagePolicyWebhook",
  enabledByDefault: false,
  prepare,
  create({ env }, prepared) {
    if (prepared === undefined) throw new Error("no config specified")
    const { client, allowMs, denyMs, defaultAllow } = prepared as Prepared
    const { clock } = env
    const known = new Lru<string, { readonly status: ReviewStatus; readonly untilMs: number }>(keptAnswers)
    const ask = async (a: AdmissionAttributes, spec: object): Promise<ReviewStatus> => {
      const key = JSON.stringify(spec)
      const found = known.get(key)
      if (found && clock.monotonic() < found.untilMs) return found.status
      const type = { kind: "ImageReview", apiVersion: "imagepolicy.k8s.io/v1alpha1" }
      const review = { ...type, metadata: {}, spec, status: { allowed: false } }
      const answer = (await client.ask(review, askLimitMs, a.signal ?? never)) as { status?: ReviewStatus }
      const status = answer.status ?? {}
      const ttlMs = status.allowed ? allowMs : denyMs
      if (ttlMs > 0) known.set(key, { status, untilMs: clock.monotonic() + ttlMs }, 1)
      return status
    }
    return {
      handles: (a) =>
        (a.operation === "CREATE" || a.operation === "UPDATE") &&
        a.kind.plural === "pods" &&
        a.kind.group === "" &&
        (a.subresource === "" || a.subresource === "ephemeralcontainers"),
      async validate(a) {
        const target = a.object as Pod
        let status: ReviewStatus
        try {
          status = await ask(a, reviewSpec(target, a))
        } catch (thrown) {
          a.signal?.throwIfAborted()
          if (!defaultAllow) throw refusal(a, messageOf(thrown))
          a.annotate(`${auditPrefix}failed-open`, "true")
          target.metadata.annotations = { ...target.metadata.annotations, [failedOpenAnnotation]: "true" }
          return
        }
        for (const [key, value] of Object.entries(status.auditAnnotations ?? {}))
          a.annotate(`${auditPrefix}${key}`, value)
        if (status.allowed) return
        const why = status.reason
          ? `image policy webhook backend denied one or more images: ${status.reason}`
          : "one or more images rejected by webhook backend"
        throw refusal(a, why)
      },
    }
  },
}

function reviewSpec({ spec, metadata }: Pod, { subresource, namespace }: AdmissionAttributes): object {
  const { containers, initContainers = [], ephemeralContainers = [] } = spec
  const asked = subresource === "" ? [...containers, ...initContainers] : ephemeralContainers
  const annotations = Object.entries(metadata.annotations ?? {})
    .filter(([key]) => key.includes(".image-policy.k8s.io/"))
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return {
    containers: asked.map(({ image }) => ({ image })),
    ...(annotations.length > 0 ? { annotations: Object.fromEntries(annotations) } : {}),
    namespace,
  }
}
