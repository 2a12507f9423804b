/** The operator's configuration of webhooks. Mirrors: apiserver pkg/admission/plugin/webhook/config */
import { isAbsolute } from "node:path"
import { field, fieldErrorMessage } from "@knarr/apimachinery"
import { decodeConfig, type ConfigType } from "../../config/read-config.ts"
import { WebhookUsers } from "../../outbound/webhook-users.ts"
import { refuseManifests } from "../manifests.ts"

const type: ConfigType = {
  apiVersions: ["apiserver.config.k8s.io/v1"],
  kind: "WebhookAdmissionConfiguration",
  packageName: "io.k8s.apiserver.pkg.admission.plugin.webhook.v1",
  table: {
    WebhookAdmissionConfiguration: {
      apiVersion: "string",
      kind: "string",
      kubeConfigFile: "string",
      staticManifestsDir: "string",
    },
  },
}

/** Who the server is to webhooks; undefined when the configuration does not say. */
export async function prepareWebhooks(configuration: unknown): Promise<WebhookUsers | undefined> {
  const { kubeConfigFile = "", staticManifestsDir } = decodeConfig<{
    kubeConfigFile?: string
    staticManifestsDir?: string
  }>(configuration, type)
  if (kubeConfigFile !== "" && !isAbsolute(kubeConfigFile))
    throw new Error(
      fieldErrorMessage(field.invalid("kubeConfigFile", kubeConfigFile, "must be an absolute file path")),
    )
  refuseManifests(staticManifestsDir)
  return kubeConfigFile === "" ? undefined : WebhookUsers.open(kubeConfigFile)
}
