/** Who may approve, sign and attest for a signer, and that nobody asks for the administrators' group. */
import { parseSigningRequest } from "@knarr/api"
import type { CertificateSigningRequest, ClusterTrustBundle, PodCertificateRequest } from "@knarr/api"
import { field, invalid, semanticEqual } from "@knarr/apimachinery"
import { messageOf, whenReady } from "@knarr/base"
import { resourceAttributes } from "../authz/attributes.ts"
import { onlyMutatesGCFields } from "../authz/escalation.ts"
import type { AdmissionAttributes, AdmissionDeps, AdmissionHooks, AdmissionPlugin } from "../contract.ts"
import { isResource } from "./is-resource.ts"
import { refusal } from "./refuse.ts"

const group = "certificates.k8s.io"
const requests = "certificatesigningrequests"

/** The signer itself, or all signers of its domain. Mirrors: pkg/certauthorization */
function allowedOnSigner(
  deps: Pick<AdmissionDeps, "authorize">,
  a: AdmissionAttributes,
  verb: string,
  signer: string,
): boolean | Promise<boolean> {
  const ask = (name: string): boolean | Promise<boolean> =>
    whenReady(
      deps.authorize(a.user, resourceAttributes({ verb, apiGroup: group, resource: "signers", name }), a),
      ({ verdict }) => verdict === "allow",
    )
  return whenReady(ask(signer), (allowed) => allowed || ask(`${signer.split("/")[0]}/*`))
}

/** Refuses who may not, in the plugin's words. */
function demandSigner(
  deps: Pick<AdmissionDeps, "authorize">,
  a: AdmissionAttributes,
  verb: string,
  signer: string,
  what: string,
): void | Promise<void> {
  return whenReady(allowedOnSigner(deps, a, verb, signer), (allowed) => {
    if (!allowed) throw refusal(a, `user not permitted to ${what} ${JSON.stringify(signer)}`)
  })
}

/** Mirrors: plugin/pkg/admission/certificates/approval */
export const certificateApproval: AdmissionPlugin = {
  name: "CertificateApproval",
  enabledByDefault: true,
  create: (deps) => ({
    handles: (a) => a.operation === "UPDATE" && isResource(a, group, requests, "approval"),
    validate(a) {
      const signer = (a.oldObject as CertificateSigningRequest).spec.signerName
      return demandSigner(deps, a, "approve", signer, "approve requests with signerName")
    },
  }),
}

/** Mirrors: plugin/pkg/admission/certificates/signing */
export const certificateSigning: AdmissionPlugin = {
  name: "CertificateSigning",
  enabledByDefault: true,
  create: (deps) => ({
    handles: (a) => a.operation === "UPDATE" && isResource(a, group, requests, "status"),
    validate(a) {
      const next = a.object as CertificateSigningRequest
      const old = a.oldObject as CertificateSigningRequest
      const failed = (csr: CertificateSigningRequest): boolean =>
        csr.status?.conditions?.some((condition) => condition.type === "Failed") ?? false
      if (
        (next.status?.certificate ?? "") === (old.status?.certificate ?? "") &&
        failed(next) === failed(old)
      )
        return
      const signer = old.spec.signerName
      return demandSigner(deps, a, "sign", signer, "sign requests with signerName")
    },
  }),
}

/** Mirrors: plugin/pkg/admission/certificates/ctbattest */
export const clusterTrustBundleAttest: AdmissionPlugin = {
  name: "ClusterTrustBundleAttest",
  enabledByDefault: true,
  create: (deps) => ({
    handles: (a) =>
      (a.operation === "CREATE" || a.operation === "UPDATE") && isResource(a, group, "clustertrustbundles"),
    validate(a) {
      const signer = (a.object as ClusterTrustBundle).spec.signerName
      if (!signer) return
      if (a.oldObject && onlyMutatesGCFields(a.object!, a.oldObject)) return
      return demandSigner(deps, a, "attest", signer, "attest for signerName")
    },
  }),
}

/** Mirrors: plugin/pkg/admission/certificates/subjectrestriction */
export const certificateSubjectRestriction: AdmissionPlugin = {
  name: "CertificateSubjectRestriction",
  enabledByDefault: true,
  create: () => ({
    handles: (a) => a.operation === "CREATE" && isResource(a, group, requests),
    validate(a) {
      const { signerName, request } = (a.object as CertificateSigningRequest).spec
      if (signerName !== "kubernetes.io/kube-apiserver-client") return
      if (organizationsOf(a, request).includes("system:masters"))
        throw refusal(
          a,
          "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed",
        )
    },
  }),
}

function organizationsOf(a: AdmissionAttributes, request: string): readonly string[] {
  try {
    return parseSigningRequest(request).organizations
  } catch (thrown) {
    throw refusal(a, `failed to parse CSR: ${messageOf(thrown)}`)
  }
}

/**
 * Whoever changes what a PodCertificateRequest answers must be allowed to sign for its signer; no option switches
 * this off. Mirrors: pkg/registry/certificates/podcertificaterequest StatusStrategy.ValidateUpdate
 */
export function createPodCertificateSignCheck(deps: Pick<AdmissionDeps, "authorize">): AdmissionHooks {
  return {
    handles: (a) => a.operation === "UPDATE" && isResource(a, group, "podcertificaterequests", "status"),
    validate(a) {
      const old = a.oldObject as PodCertificateRequest
      if (semanticEqual((a.object as PodCertificateRequest).status, old.status)) return
      const { signerName } = old.spec
      return whenReady(allowedOnSigner(deps, a, "sign", signerName), (allowed) => {
        if (allowed) return
        const why = `User ${JSON.stringify(a.user.name)} is not permitted to "sign" for signer ${JSON.stringify(signerName)}`
        throw invalid({ group, kind: "PodCertificateRequest" }, a.name, [
          field.forbidden("spec.signerName", why),
        ])
      })
    },
  }
}
