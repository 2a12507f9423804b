/**
 * Asks the programs that webhook configurations name: first those that may change the object, one after the other, later
 * those that judge it, all at once. Mirrors: apiserver pkg/admission/plugin/webhook/{mutating,validating}
 */
import { mutatingWebhookConfiguration, validatingWebhookConfiguration } from "@knarr/api"
import type { MutatingWebhook } from "@knarr/api"
import {
  applyJSONPatch,
  deepClone,
  deepEqual,
  goQuote,
  internalError,
  type Kind,
  type KubeObject,
  StatusError,
} from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import type { AdmissionAttributes, AdmissionDeps, AdmissionHooks, AdmissionPlugin } from "../../contract.ts"
import { askWebhook } from "./ask.ts"
import { conditionsHold } from "./match-conditions.ts"
import { isExempt, versionFor, type Webhook } from "./match.ts"

interface Configured<W extends Webhook> {
  readonly id: string
  readonly webhook: W
}

/** Webhooks in the order of their configurations' names, in which the cache has them. */
function webhooksOf<W extends Webhook>(
  configurations: readonly {
    readonly metadata: { readonly name: string }
    readonly webhooks?: readonly W[] | undefined
  }[],
): Configured<W>[] {
  return configurations.flatMap(({ metadata, webhooks = [] }) =>
    webhooks.map((webhook, at) => ({ id: `${metadata.name}/${webhook.name}/${at}`, webhook })),
  )
}

interface Seen {
  readonly kind: Kind
  readonly object: Readonly<KubeObject> | undefined
  readonly oldObject: Readonly<KubeObject> | undefined
}

/** The request in the version that a webhook wants; undefined when it is not asked. */
async function seenBy(
  webhook: Webhook,
  a: AdmissionAttributes,
  deps: AdmissionDeps,
): Promise<Seen | undefined> {
  const kind = versionFor(webhook, a, deps)
  if (!kind) return undefined
  const as = async (object: Readonly<KubeObject> | undefined): Promise<Readonly<KubeObject> | undefined> =>
    object === undefined || kind === a.kind || a.subresource !== "" ? object : deps.convert(object, kind)
  const seen = { kind, object: await as(a.object), oldObject: await as(a.oldObject) }
  const conditions = webhook.matchConditions ?? []
  if (conditions.length === 0) return seen
  try {
    return (await conditionsHold(conditions, a, seen, deps)) ? seen : undefined
  } catch (thrown) {
    if (webhook.failurePolicy === "Ignore") return undefined
    throw internalError(`failed calling webhook ${goQuote(webhook.name)}: ${messageOf(thrown)}`)
  }
}

export const validatingWebhooks: AdmissionPlugin = {
  name: "ValidatingAdmissionWebhook",
  enabledByDefault: true,
  create: (deps) => ({
    handles: (a) => !isExempt(a) && deps.list(validatingWebhookConfiguration).length > 0,
    async validate(a) {
      const asked: Promise<unknown>[] = []
      for (const { webhook } of webhooksOf(deps.list(validatingWebhookConfiguration))) {
        const seen = await seenBy(webhook, a, deps)
        if (seen)
          asked.push(
            askWebhook({ plugin: "ValidatingAdmissionWebhook", webhook, attributes: a, ...seen }, deps),
          )
      }
      const refused = (await Promise.allSettled(asked)).find(({ status }) => status === "rejected")
      if (refused) throw (refused as PromiseRejectedResult).reason
    },
  }),
}

/** What the first round leaves for the second. */
interface Round {
  /** Those that want to look again when others change the object. */
  readonly willing: Set<string>
  readonly again: Set<string>
  last: unknown
}

export const mutatingWebhooks: AdmissionPlugin = {
  name: "MutatingAdmissionWebhook",
  enabledByDefault: true,
  create: (deps) => {
    const hooks: AdmissionHooks = {
      handles: (a) => !isExempt(a) && deps.list(mutatingWebhookConfiguration).length > 0,
      async admit(a) {
        const { reinvocation } = a
        const first: Round = { willing: new Set(), again: new Set(), last: undefined }
        const round = (reinvocation.memory.get(hooks) as Round | undefined) ?? first
        reinvocation.memory.set(hooks, round)
        const changedSince = reinvocation.again && !deepEqual(round.last, a.object)
        let present = a
        for (const { id, webhook } of webhooksOf<MutatingWebhook>(deps.list(mutatingWebhookConfiguration))) {
          const isDue = !reinvocation.again || round.again.has(id) || (changedSince && round.willing.has(id))
          const seen = isDue ? await seenBy(webhook, present, deps) : undefined
          if (!seen) continue
          const question = { plugin: "MutatingAdmissionWebhook", webhook, attributes: present, ...seen }
          const verdict = await askWebhook(question, deps)
          const next =
            verdict?.patch === undefined ? undefined : await patched(seen, verdict.patch, a, webhook, deps)
          if (next && !deepEqual(next, present.object)) {
            present = { ...present, object: next }
            for (const other of round.willing) round.again.add(other)
            reinvocation.request()
          }
          if (webhook.reinvocationPolicy === "IfNeeded") round.willing.add(id)
        }
        round.last = present.object && deepClone(present.object)
        return present.object === a.object ? undefined : present.object
      },
    }
    return hooks
  },
}

/** The object that a webhook's patch makes, in the request's version. */
async function patched(
  { kind, object }: Seen,
  patch: unknown,
  a: AdmissionAttributes,
  webhook: Webhook,
  deps: AdmissionDeps,
): Promise<KubeObject> {
  try {
    const document = applyJSONPatch(object, patch)
    // What a subresource takes has a shape of its own.
    if (a.subresource !== "" && a.object?.kind !== a.kind.kind) return document as KubeObject
    const next = deps.decode(kind, document)
    return kind === a.kind ? next : deps.decode(a.kind, await deps.convert(next, a.kind))
  } catch (thrown) {
    if (thrown instanceof StatusError) throw thrown
    const why = `received invalid webhook response: ${messageOf(thrown)}`
    throw internalError(`failed calling webhook ${goQuote(webhook.name)}: ${why}`)
  }
}
