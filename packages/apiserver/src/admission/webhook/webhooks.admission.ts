/**
 * Asks the programs that webhook configurations name: first those that may change the object, one after the other, later
 * those that judge it, all at once. Mirrors: apiserver pkg/admission/plugin/webhook/{mutating,validating}
 */
import { mutatingWebhookConfiguration, validatingWebhookConfiguration } from "@knarr/api"
import type { MutatingWebhook, ValidatingWebhook } from "@knarr/api"
import {
  applyJSONPatch,
  deepEqual,
  goQuote,
  internalError,
  type Kind,
  type KubeObject,
  StatusError,
} from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import type { AdmissionAttributes, AdmissionDeps, AdmissionHooks, AdmissionPlugin } from "../../contract.ts"
import { withObject } from "../attributes.ts"
import type { Seen } from "../expressions.ts"
import { WebhookMetrics } from "../metrics.ts"
import { Reinvocations } from "../reinvocations.ts"
import { askWebhook, type Verdict } from "./ask.ts"
import { type Configured, Webhooks } from "./configured.ts"
import { prepareWebhooks, type PreparedWebhooks } from "./webhook-configuration.ts"
import { checkWebhookManifest } from "./webhook-manifests.ts"
import { withManifests } from "../manifests.ts"

/** `prepared`: what {@link prepareWebhooks} made. */
function configured(deps: AdmissionDeps, kind: Kind, prepared: unknown): AdmissionDeps {
  if (prepared === undefined) return deps
  const { users, manifests } = prepared as PreparedWebhooks
  const call = users ? users.identified(deps.call) : deps.call
  return withManifests({ ...deps, call }, manifests, [kind], checkWebhookManifest)
}

export const validatingWebhooks: AdmissionPlugin = {
  name: "ValidatingAdmissionWebhook",
  enabledByDefault: true,
  prepare: prepareWebhooks,
  create: (server, prepared) => {
    const deps = configured(server, validatingWebhookConfiguration, prepared)
    const webhooks = new Webhooks<ValidatingWebhook>(deps, validatingWebhookConfiguration, "validate")
    const metrics = new WebhookMetrics(deps.env)
    return {
      handles: (a) => webhooks.any && webhooks.of(a).length > 0,
      async validate(a) {
        const questions = []
        for (const one of webhooks.of(a)) {
          const seen = await webhooks.seenBy(one, a)
          if (seen) questions.push({ webhook: one.webhook, mutating: false, attributes: a, seen })
        }
        const asked = questions.map((question, at) => {
          const failedOpenKey = `failed-open.validating.webhook.admission.k8s.io/round_0_index_${at}`
          return askWebhook({ ...question, failedOpenKey }, deps, metrics)
        })
        const refused = (await Promise.allSettled(asked)).find(({ status }) => status === "rejected")
        if (refused) throw (refused as PromiseRejectedResult).reason
      },
    }
  },
}

export const mutatingWebhooks: AdmissionPlugin = {
  name: "MutatingAdmissionWebhook",
  enabledByDefault: true,
  prepare: prepareWebhooks,
  create: (server, prepared) => {
    const deps = configured(server, mutatingWebhookConfiguration, prepared)
    const webhooks = new Webhooks<MutatingWebhook>(deps, mutatingWebhookConfiguration, "admit")
    const metrics = new WebhookMetrics(deps.env)
    const hooks: AdmissionHooks = {
      handles: (a) => webhooks.any && webhooks.of(a).length > 0,
      async admit(a) {
        const reinvocations = Reinvocations.begin(a, hooks)
        let present = a
        for (const [at, one] of webhooks.of(a).entries()) {
          const { id, webhook } = one
          const seen = reinvocations.isDue(id) ? await webhooks.seenBy(one, present) : undefined
          if (!seen) continue
          const place = `round_${a.reinvocation.again ? 1 : 0}_index_${at}`
          const failedOpenKey = `failed-open.mutation.webhook.admission.k8s.io/${place}`
          let mutated = false
          try {
            const question = { webhook, mutating: true, attributes: present, seen, failedOpenKey }
            const verdict = await askWebhook(question, deps, metrics)
            const next = verdict?.patch && (await patched(seen, verdict.patch, a, one, deps))
            mutated = next !== undefined && !deepEqual(next, present.object)
            if (verdict?.patch) annotatePatch(a, one, place, verdict)
            if (mutated) {
              present = withObject(present, next!)
              reinvocations.changed()
            }
          } finally {
            const { configuration } = one
            const value = JSON.stringify({ configuration, webhook: webhook.name, mutated })
            a.annotate(`mutation.webhook.admission.k8s.io/${place}`, value)
          }
          if (webhook.reinvocationPolicy === "IfNeeded") reinvocations.wantsMore(id)
        }
        reinvocations.end(present.object)
        return present.object === a.object ? undefined : present.object
      },
    }
    return hooks
  },
}

/** Only where requests are audited with their bodies: the patch is a part of one. */
function annotatePatch(
  a: AdmissionAttributes,
  { configuration, webhook }: Configured<MutatingWebhook>,
  place: string,
  { patch }: Verdict,
): void {
  const value = { configuration, webhook: webhook.name, patch, patchType: "JSONPatch" }
  a.annotate(`patch.webhook.admission.k8s.io/${place}`, JSON.stringify(value), "Request")
}

/** The object that a webhook's patch makes, in the request's version. */
async function patched(
  { kind, object }: Seen,
  patch: readonly unknown[],
  a: AdmissionAttributes,
  { webhook }: Configured<MutatingWebhook>,
  deps: AdmissionDeps,
): Promise<KubeObject> {
  if (!object)
    throw internalError(
      `admission webhook ${goQuote(webhook.name)} attempted to modify the object, which is not supported for this operation`,
    )
  try {
    const document = applyJSONPatch(object, patch)
    // What a subresource takes has a shape of its own.
    if (a.subresource !== "" && a.object?.kind !== a.kind.kind) return document as KubeObject
    const next = deps.decode(kind, document)
    return kind === a.kind ? next : deps.decode(a.kind, await deps.convert(next, a.kind))
  } catch (thrown) {
    throw thrown instanceof StatusError ? thrown : internalError(messageOf(thrown))
  }
}
