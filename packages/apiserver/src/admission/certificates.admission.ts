/** Who may approve and sign certificate requests, and that nobody asks for the administrators' group. */
import { certificateSigningRequest } from "@knarr/api"
import type { CertificateSigningRequest } from "@knarr/api"
import type { AdmissionAttributes, AdmissionDeps, AdmissionPlugin } from "../contract.ts"
import { refusal } from "./refuse.ts"

/** The signer itself, or all signers of its domain. */
function allowedOnSigner(deps: AdmissionDeps, a: AdmissionAttributes, verb: string, signer: string): boolean {
  const ask = (name: string): boolean =>
    deps.authorize(a.user, {
      verb,
      apiGroup: "certificates.k8s.io",
      resource: "signers",
      subresource: "",
      namespace: "",
      name,
      path: "",
      isResourceRequest: true,
    }).allowed
  return ask(signer) || ask(`${signer.split("/")[0]}/*`)
}

/** Mirrors: plugin/pkg/admission/certificates/approval */
export const certificateApproval: AdmissionPlugin = {
  name: "CertificateApproval",
  enabledByDefault: true,
  create: (deps) => ({
    handles: (a) =>
      a.operation === "UPDATE" && a.kind === certificateSigningRequest && a.subresource === "approval",
    validate(a) {
      const signer = (a.oldObject as CertificateSigningRequest).spec.signerName
      if (!allowedOnSigner(deps, a, "approve", signer))
        throw refusal(a, `user not permitted to approve requests with signerName ${JSON.stringify(signer)}`)
    },
  }),
}

/** Mirrors: plugin/pkg/admission/certificates/signing */
export const certificateSigning: AdmissionPlugin = {
  name: "CertificateSigning",
  enabledByDefault: true,
  create: (deps) => ({
    handles: (a) =>
      a.operation === "UPDATE" && a.kind === certificateSigningRequest && a.subresource === "status",
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
      if (!allowedOnSigner(deps, a, "sign", signer))
        throw refusal(a, `user not permitted to sign requests with signerName ${JSON.stringify(signer)}`)
    },
  }),
}

/** Mirrors: plugin/pkg/admission/certificates/subjectrestriction */
export const certificateSubjectRestriction: AdmissionPlugin = {
  name: "CertificateSubjectRestriction",
  enabledByDefault: true,
  create: () => ({
    handles: (a) => a.operation === "CREATE" && a.kind === certificateSigningRequest && a.subresource === "",
    validate(a) {
      const { signerName, request } = (a.object as CertificateSigningRequest).spec
      if (signerName !== "kubernetes.io/kube-apiserver-client") return
      if (organizations(request).includes("system:masters"))
        throw refusal(
          a,
          "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed",
        )
    },
  }),
}

/** The organisation names in a PKCS #10 request (base64 of PEM): every value behind the attribute type 2.5.4.10. */
function organizations(request: string): string[] {
  const pem = Buffer.from(request, "base64").toString("latin1")
  const body = /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([\s\S]*?)-----END/.exec(pem)?.[1] ?? ""
  const der = Buffer.from(body, "base64")
  const type = Buffer.from([0x06, 0x03, 0x55, 0x04, 0x0a])
  const names: string[] = []
  for (let at = der.indexOf(type); at >= 0; at = der.indexOf(type, at + 1)) {
    const length = der[at + type.length + 1]
    const from = at + type.length + 2
    if (length !== undefined && length < 128) names.push(der.toString("utf8", from, from + length))
  }
  return names
}
