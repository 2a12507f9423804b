/**
 * The webhooks of configurations, and who of them is asked. What decides that is made when a configuration is written.
 * Mirrors: apiserver pkg/admission/plugin/webhook/{accessors.go,generic/webhook.go}
 */
import type { MutatingWebhook, ValidatingWebhook } from "@knarr/api"
import { forbidden, internalError, type Kind, type KubeObject, StatusError } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import type { AdmissionAttributes, AdmissionDeps } from "../../contract.ts"
import { compiledFrom } from "../compiled.ts"
import { Asking, requestOf, seenAs, type Seen } from "../expressions.ts"
import { MatchConditions } from "../match-conditions.ts"
import { isFromFile } from "../manifests.ts"
import { isExempt, Matcher } from "../matching.ts"
import { MatchConditionMetrics } from "../metrics.ts"

export type Webhook = ValidatingWebhook | MutatingWebhook

interface Configuration<W extends Webhook> extends KubeObject {
  webhooks?: W[] | undefined
}

export interface Configured<W extends Webhook> {
  /** Among all of its kind. */
  readonly id: string
  readonly configuration: string
  readonly isFromFile: boolean
  readonly webhook: W
  readonly matcher: Matcher
  readonly conditions: MatchConditions | undefined
}

export class Webhooks<W extends Webhook> {
  readonly #deps: AdmissionDeps
  readonly #metrics: MatchConditionMetrics
  readonly #configurations: { readonly present: readonly (readonly Configured<W>[])[] }

  constructor(deps: AdmissionDeps, kind: Kind<Configuration<W>>, type: "admit" | "validate") {
    this.#deps = deps
    this.#metrics = new MatchConditionMetrics(deps.env)
    this.#configurations = compiledFrom(deps, kind, (object) => {
      const { metadata, webhooks = [] } = object
      return webhooks.map((webhook, at): Configured<W> => {
        const { name, matchConditions: conditions = [], rules = [] } = webhook
        return {
          id: `${metadata.name}/${name}/${at}`,
          configuration: metadata.name ?? "",
          isFromFile: isFromFile(object),
          webhook,
          matcher: new Matcher({ ...webhook, rules }),
          conditions:
            conditions.length === 0
              ? undefined
              : new MatchConditions(conditions, { name, kind: "webhook", type }),
        }
      })
    })
  }

  /** Whether there is any. */
  get any(): boolean {
    return this.#configurations.present.length > 0
  }

  /**
   * Those that a request can meet, in the order of their configurations' names: what configures admission is judged by
   * those from files alone.
   */
  of(a: AdmissionAttributes): readonly Configured<W>[] {
    const { present } = this.#configurations
    const all = present.length === 1 ? present[0]! : present.flat()
    return isExempt(a) ? all.filter((one) => one.isFromFile) : all
  }

  /** The request in the version that a webhook wants; undefined when it is not asked. Throws StatusErrors. */
  async seenBy(
    { webhook, matcher, conditions }: Configured<W>,
    a: AdmissionAttributes,
  ): Promise<Seen | undefined> {
    // A policy without rules is about everything, a webhook about nothing.
    const kind = webhook.rules?.length ? matcher.versionFor(a, this.#deps) : undefined
    if (!kind) return undefined
    let seen: Seen
    try {
      seen = await seenAs(kind, a, this.#deps)
    } catch (thrown) {
      throw thrown instanceof StatusError ? thrown : internalError(messageOf(thrown))
    }
    if (!conditions) return seen
    const asking = new Asking(a, this.#deps)
    const { object = null, oldObject = null } = seen
    const values = { object, oldObject, request: requestOf(a, seen), ...asking.variables() }
    try {
      const hold = await asking.settle(() => conditions.hold(values, a.operation, this.#metrics))
      return hold ? seen : undefined
    } catch (thrown) {
      if (webhook.failurePolicy === "Ignore") return undefined
      throw forbidden({ group: a.kind.group, resource: a.kind.plural }, a.name, messageOf(thrown))
    }
  }
}
