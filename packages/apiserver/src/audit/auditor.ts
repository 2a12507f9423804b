/** Begins the records of requests. Mirrors: apiserver pkg/endpoints/filters/audit.go, pkg/server/options/audit.go */
import type { Env, Scope } from "@knarr/base"
import type { RequestInfo, UserInfo } from "../contract.ts"
import { usingConfigFile } from "@knarr/client"
import type { ServerExchange } from "../server/exchange.ts"
import { createLogSink, type AuditLogOptions } from "./log-sink.ts"
import { loadPolicy, PolicyEvaluator } from "./policy.ts"
import { AuditRecord } from "./record.ts"
import { allOf, AuditMetrics, type AuditSink } from "./sink.ts"
import { sourceIPs } from "./source-ips.ts"
import { createWebhookSink, type AuditWebhookOptions } from "./webhook-sink.ts"

export interface AuditOptions {
  /** An `audit.k8s.io/v1` Policy. */
  readonly policyFile: string
  readonly log?: AuditLogOptions | undefined
  readonly webhook?: AuditWebhookOptions | undefined
}

export class Auditor {
  readonly #policy: PolicyEvaluator
  readonly #sink: AuditSink
  readonly #metrics: AuditMetrics
  readonly #env: Env

  constructor(policy: PolicyEvaluator, sink: AuditSink, metrics: AuditMetrics, env: Env) {
    this.#policy = policy
    this.#sink = sink
    this.#metrics = metrics
    this.#env = env
  }

  /**
   * The record of a request; undefined when the policy wants none. `user` is undefined when nobody knows who asks;
   * `receivedMs` is when the request came.
   */
  begin(
    exchange: ServerExchange,
    info: RequestInfo,
    user: UserInfo | undefined,
    auditID: string,
    receivedMs: number,
  ): AuditRecord | undefined {
    const recording = this.#policy.evaluate(user, info)
    this.#metrics.levels.add(1, recording.level)
    if (recording.level === "None") return undefined
    return new AuditRecord({
      recording,
      sink: this.#sink,
      metrics: this.#metrics,
      now: () => this.#env.clock.now(),
      auditID,
      requestURI: exchange.path + exchange.search,
      user,
      info,
      sourceIPs: sourceIPs(exchange),
      userAgent: exchange.header("user-agent"),
      receivedMs,
    })
  }

  /** A request is refused because it could not be recorded. */
  rejected(): void {
    this.#metrics.rejected.add(1)
  }
}

/** Reads the policy and opens the backends, which end with `scope`. Undefined when there is none. */
export async function createAuditor(
  options: AuditOptions,
  env: Env,
  scope: Scope,
): Promise<Auditor | undefined> {
  const policy = new PolicyEvaluator(
    await usingConfigFile(options.policyFile, loadPolicy(options.policyFile, env.log)),
  )
  const metrics = new AuditMetrics(env.meter, env.log)
  const sinks: AuditSink[] = []
  if (options.log) sinks.push(createLogSink(options.log, env, scope, metrics))
  if (options.webhook) sinks.push(await createWebhookSink(options.webhook, env, scope, metrics))
  return sinks.length === 0 ? undefined : new Auditor(policy, allOf(sinks), metrics, env)
}
