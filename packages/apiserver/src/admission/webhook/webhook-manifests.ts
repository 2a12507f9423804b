/** What webhooks in files must keep to. Mirrors: apiserver pkg/admission/plugin/webhook/manifest/loader */
import type { MutatingWebhook, ValidatingWebhook } from "@knarr/api"
import { goQuote, type KubeObject } from "@knarr/apimachinery"

/** The services of the cluster may need what the webhook judges. Throws. */
export function checkWebhookManifest(object: Readonly<KubeObject>, file: string): void {
  const { webhooks = [] } = object as { readonly webhooks?: readonly (ValidatingWebhook | MutatingWebhook)[] }
  for (const { name, clientConfig } of webhooks) {
    const which = `webhook ${goQuote(name)} in ${goQuote(object.metadata.name!)} (file ${goQuote(file)})`
    if (clientConfig.service)
      throw new Error(
        `${which}: clientConfig.service is not supported for static manifests; use clientConfig.url instead`,
      )
    if (!clientConfig.url) throw new Error(`${which}: clientConfig.url is required for static manifests`)
  }
}
