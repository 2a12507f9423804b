/**
 * Policies and webhooks that a server would read from files. There are none here: what is asked for and cannot be had is
 * refused. Mirrors: apiserver pkg/admission/plugin/policy/config/apis/policyconfig, plugin/manifest
 */
import { field, fieldErrorMessage } from "@knarr/apimachinery"
import { decodeConfig, type ConfigType } from "../config/read-config.ts"

/** Throws when a folder is named. */
export function refuseManifests(staticManifestsDir: string | undefined): void {
  if (!staticManifestsDir) return
  const why = "admission objects in files are not supported: create them through the API"
  throw new Error(fieldErrorMessage(field.forbidden("staticManifestsDir", why)))
}

/** Throws when the configuration of policies of that kind asks for what cannot be had. */
export function checkPolicyConfiguration(
  kind: "ValidatingAdmissionPolicyConfiguration" | "MutatingAdmissionPolicyConfiguration",
  configuration: unknown,
): void {
  if (configuration === undefined) return
  const type: ConfigType = {
    apiVersions: ["apiserver.config.k8s.io/v1"],
    kind,
    packageName: "io.k8s.apiserver.pkg.admission.plugin.policy.v1",
    table: { [kind]: { apiVersion: "string", kind: "string", staticManifestsDir: "string" } },
  }
  refuseManifests(decodeConfig<{ staticManifestsDir?: string }>(configuration, type).staticManifestsDir)
}
