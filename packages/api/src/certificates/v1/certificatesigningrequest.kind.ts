/** CertificateSigningRequest (certificates.k8s.io/v1). Mirrors: pkg/registry/certificates/certificatesigningrequest */
import { defineKind, type Kind, humanDuration } from "@knarr/apimachinery"
import { age, text } from "../../columns.ts"
import {
  prepareRequestForCreate,
  prepareRequestForStatusUpdate,
  prepareRequestForUpdate,
} from "./request.strategy.ts"
import { validateRequest, validateRequestStatusUpdate, validateRequestUpdate } from "./request.validate.ts"
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
    columns: [
      age,
      text("SignerName", ({ spec }) => spec.signerName || "<none>"),
      text("Requestor", ({ spec }) => spec.username ?? ""),
      text("RequestedDuration", ({ spec }) =>
        spec.expirationSeconds === undefined ? "<none>" : humanDuration(spec.expirationSeconds * 1000),
      ),
      text("Condition", ({ status }) => {
        const has = (type: string): boolean => status.conditions?.some((c) => c.type === type) ?? false
        const decision = has("Denied") ? "Denied" : has("Approved") ? "Approved" : "Pending"
        return decision + (has("Failed") ? ",Failed" : "") + (status.certificate ? ",Issued" : "")
      }),
    ],
    hasGeneration: false,
    // Any name that the storage takes.
    validateName: () => [],
    prepareForCreate: prepareRequestForCreate,
    prepareForUpdate: prepareRequestForUpdate,
    prepareForStatusUpdate: prepareRequestForStatusUpdate,
    validate: validateRequest,
    validateUpdate: validateRequestUpdate,
    validateStatusUpdate: validateRequestStatusUpdate,
    selectableFields: { "spec.signerName": ({ spec }) => spec.signerName },
  })
