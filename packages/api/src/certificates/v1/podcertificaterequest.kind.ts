/** PodCertificateRequest (certificates.k8s.io/v1). Mirrors: pkg/registry/certificates/podcertificaterequest */
import { defineKind, type Kind } from "@knarr/apimachinery"
import type { PodCertificateRequest } from "./types.gen.ts"

export const podCertificateRequest: Kind<PodCertificateRequest> = defineKind<PodCertificateRequest>({
  group: "certificates.k8s.io",
  version: "v1",
  kind: "PodCertificateRequest",
  plural: "podcertificaterequests",
  namespaced: true,
  subresources: ["status"],
  schema: "io.k8s.api.certificates.v1.PodCertificateRequest",
  storagePrefix: "podcertificaterequests",
})
