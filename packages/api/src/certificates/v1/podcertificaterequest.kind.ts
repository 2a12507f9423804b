/** PodCertificateRequest (certificates.k8s.io/v1). Mirrors: pkg/registry/certificates/podcertificaterequest */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { labelsText, text } from "../../columns.ts"
import {
  validatePodCertificateRequest,
  validatePodCertificateRequestStatus,
  validatePodCertificateRequestUpdate,
} from "./podcertificaterequest.validate.ts"
import type { PodCertificateRequest } from "./types.gen.ts"

export const podCertificateRequest: Kind<PodCertificateRequest> = defineKind<PodCertificateRequest>({
  group: "certificates.k8s.io",
  version: "v1",
  kind: "PodCertificateRequest",
  plural: "podcertificaterequests",
  namespaced: true,
  subresources: ["status"],
  statusKeeps: "metadata",
  releaseStoresVersion: "v1beta1",
  schema: "io.k8s.api.certificates.v1.PodCertificateRequest",
  storagePrefix: "podcertificaterequests",
  columns: [
    text("PodName", ({ spec }) => spec.podName),
    text("ServiceAccountName", ({ spec }) => spec.serviceAccountName),
    text("NodeName", ({ spec }) => spec.nodeName),
    text("SignerName", ({ spec }) => spec.signerName),
    text(
      "State",
      ({ status }) =>
        status.conditions?.findLast(({ type }) => ["Issued", "Denied", "Failed"].includes(type))?.type ??
        "Pending",
    ),
    text("UnverifiedUserAnnotations", ({ spec }) => labelsText(spec.unverifiedUserAnnotations)),
  ],
  setDefaults({ spec }) {
    spec.maxExpirationSeconds ??= 86_400
  },
  validate: validatePodCertificateRequest,
  validateUpdate: validatePodCertificateRequestUpdate,
  validateStatusUpdate: validatePodCertificateRequestStatus,
  hasGeneration: false,
  allowUnconditionalUpdate: false,
  selectsNamespace: false,
  selectableFields: {
    "spec.signerName": ({ spec }) => spec.signerName,
    "spec.podName": ({ spec }) => spec.podName,
    "spec.nodeName": ({ spec }) => spec.nodeName,
  },
})
