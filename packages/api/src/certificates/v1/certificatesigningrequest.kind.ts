/** CertificateSigningRequest (certificates.k8s.io/v1). Mirrors: pkg/registry/certificates/certificatesigningrequest */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { CertificateSigningRequest } from "./types.gen.ts"

export const certificateSigningRequest: Kind<CertificateSigningRequest> =
  defineKind<CertificateSigningRequest>({
    group: "certificates.k8s.io",
    version: "v1",
    kind: "CertificateSigningRequest",
    plural: "certificatesigningrequests",
    shortNames: ["csr"],
    namespaced: false,
    subresources: [{ name: "approval", verbs: ["get", "patch", "update"] }, "status"],
    schema: "io.k8s.api.certificates.v1.CertificateSigningRequest",
    storagePrefix: "certificatesigningrequests",
  })
