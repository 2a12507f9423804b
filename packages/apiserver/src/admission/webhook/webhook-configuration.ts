/** The operator's configuration of webhooks. Mirrors: apiserver pkg/admission/plugin/webhook/config */
import { isAbsolute } from "node:path"
import { field, fieldErrorMessage } from "@knarr/apimachinery"
import { decodeConfig, type ConfigType } from "@knarr/client"
import { WebhookUsers } from "../../outbound/webhook-users.ts"
import { readManifests, type Manifests } from "../manifests.ts"

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

/** Undefined: what the configuration does not say. */
export interface PreparedWebhooks {
  /** Who the server is to webhooks. */
  readonly users: WebhookUsers | undefined
  readonly manifests: Manifests | undefined
}

export async function prepareWebhooks(configuration: unknown): Promise<PreparedWebhooks> {
  const { kubeConfigFile = "", staticManifestsDir } = decodeConfig<{
    kubeConfigFile?: string
    staticManifestsDir?: string
  }>(configuration, type)
  if (kubeConfigFile !== "" && !isAbsolute(kubeConfigFile))
    throw new Error(
      fieldErrorMessage(field.invalid("kubeConfigFile", kubeConfigFile, "must be an absolute file path")),
    )
  return {
    users: kubeConfigFile === "" ? undefined : await WebhookUsers.open(kubeConfigFile),
    manifests: await readManifests(staticManifestsDir),
  }
}
