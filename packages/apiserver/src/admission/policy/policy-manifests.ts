/** Policies and bindings in files. Mirrors: apiserver pkg/admission/plugin/policy/manifest/loader, policy/config */
import { goQuote, type Kind, type KubeObject } from "@knarr/apimachinery"
import { decodeConfig, type ConfigType } from "@knarr/client"
import type { AdmissionDeps } from "../../contract.ts"
import { readManifests, withManifests, type Manifests } from "../manifests.ts"

const suffix = ".static.k8s.io"

/** The files that the configuration names. */
export function preparePolicies(
  kind: "ValidatingAdmissionPolicyConfiguration" | "MutatingAdmissionPolicyConfiguration",
): (configuration: unknown) => Promise<Manifests | undefined> {
  const type: ConfigType = {
    apiVersions: ["apiserver.config.k8s.io/v1"],
    kind,
    packageName: "io.k8s.apiserver.pkg.admission.plugin.policy.v1",
    table: { [kind]: { apiVersion: "string", kind: "string", staticManifestsDir: "string" } },
  }
  return async (configuration) =>
    readManifests(decodeConfig<{ staticManifestsDir?: string }>(configuration, type).staticManifestsDir)
}

/** `prepared`: what {@link preparePolicies} made. Throws for what is wrong in the files. */
export function withPolicyManifests(
  deps: AdmissionDeps,
  prepared: unknown,
  policyKind: Kind,
  bindingKind: Kind,
): AdmissionDeps {
  return withManifests(
    deps,
    prepared as Manifests | undefined,
    [policyKind, bindingKind],
    checkPolicyManifest,
    (objects) => {
      const names = new Set(objects.get(policyKind)!.map(({ metadata }) => metadata.name))
      for (const binding of objects.get(bindingKind)!) {
        const { policyName = "" } = specOf(binding)
        if (!names.has(policyName))
          throw new Error(
            `binding ${goQuote(binding.metadata.name!)} references policy ${goQuote(policyName)} which does not exist in the manifest directory`,
          )
      }
    },
  )
}

function specOf(object: Readonly<KubeObject>): {
  readonly paramKind?: object
  readonly paramRef?: object
  readonly policyName?: string
} {
  return (object as { readonly spec?: object }).spec ?? {}
}

function checkPolicyManifest(object: Readonly<KubeObject>): void {
  const { kind, metadata } = object
  const name = goQuote(metadata.name!)
  const { paramKind, paramRef, policyName = "" } = specOf(object)
  if (!kind!.endsWith("Binding")) {
    if (paramKind) throw new Error(`${kind} ${name}: spec.paramKind is not supported for static manifests`)
    return
  }
  if (policyName === "") throw new Error(`binding ${name} must reference a policy (spec.policyName)`)
  if (!policyName.endsWith(suffix))
    throw new Error(
      `binding ${name}: spec.policyName ${goQuote(policyName)} must end with ${goQuote(suffix)}`,
    )
  if (paramRef) throw new Error(`binding ${name}: spec.paramRef is not supported for static manifests`)
}
