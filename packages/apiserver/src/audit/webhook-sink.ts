/** Events as lists that are sent to a program. Mirrors: apiserver plugin/pkg/audit/webhook/webhook.go */
import { withTimeout, type Env, type Scope } from "@knarr/base"
import {
  openWebhook,
  webhookAttempts,
  webhookBackoff,
  webhookHeaders,
} from "../outbound/kubeconfig-webhook.ts"
import { batchSettings, BufferedSink } from "./buffered.ts"
import { eventItemJson, eventListJson, type AuditEvent } from "./event.ts"
import type { AuditBackendOptions } from "./log-sink.ts"
import type { AuditMetrics, AuditSink } from "./sink.ts"
import { truncating } from "./truncate.ts"

export interface AuditWebhookOptions extends AuditBackendOptions {
  /** A kubeconfig that says where, and how the two sides know each other. */
  readonly configFile: string
  /** Default 10,000; each further wait is half as long again. */
  readonly initialBackoffMs?: number | undefined
}

const attemptLimitMs = 30_000

/** The default mode is `batch`. Rejects when the file cannot be read. */
export async function createWebhookSink(
  options: AuditWebhookOptions,
  env: Pick<Env, "clock" | "random">,
  scope: Scope,
  metrics: AuditMetrics,
): Promise<AuditSink> {
  const { configFile, mode = "batch", batch = {}, truncate, initialBackoffMs = 10_000 } = options
  const { transport, path } = await openWebhook(configFile, env)
  scope.use(transport)
  // What is under way when the server stops still goes out: `scope` waits for it.
  const never = new AbortController().signal

  const post = (body: string): Promise<void> =>
    withTimeout(env.clock, attemptLimitMs, "the answer of the audit webhook", never, async (signal) => {
      const headers = webhookHeaders
      const answer = await transport.request({ method: "POST", path, headers, body, signal })
      await answer.buffer()
      if (answer.status < 200 || answer.status > 299)
        throw new Error(`the audit webhook answered with the status ${answer.status}`)
    })

  const send = async (events: readonly AuditEvent[]): Promise<boolean> => {
    const body = eventListJson(events.map(eventItemJson))
    const backoff = webhookBackoff(initialBackoffMs, env)
    for (let attempt = 1; ; attempt++) {
      try {
        await post(body)
        return true
      } catch (thrown) {
        if (attempt === webhookAttempts || scope.signal.aborted) {
          metrics.lost("webhook", thrown, events.length)
          return false
        }
        await backoff.wait(env.clock, scope.signal).catch(() => {})
      }
    }
  }
  const sink: AuditSink =
    mode === "batch"
      ? new BufferedSink(
          batchSettings(batch, {
            bufferSize: 10_000,
            maxBatchSize: 400,
            maxWaitMs: 30_000,
            throttle: true,
            throttleQps: 10,
            throttleBurst: 15,
          }),
          {
            ...{ clock: env.clock, scope, metrics, parallel: true },
            send: async (events) => void (await send(events)),
          },
        )
      : { take: (event) => send([event]).then((sent) => sent || mode === "blocking") }
  return truncate ? truncating(truncate, metrics, sink) : sink
}
