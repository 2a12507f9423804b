/** ClusterTrustBundle (certificates.k8s.io/v1). Mirrors: pkg/registry/certificates/clustertrustbundle */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { text } from "../../columns.ts"
import {
  nameOfTrustBundle,
  validateTrustBundle,
  validateTrustBundleUpdate,
} from "./clustertrustbundle.validate.ts"
import type { ClusterTrustBundle } from "./types.gen.ts"

export const clusterTrustBundle: Kind<ClusterTrustBundle> = defineKind<ClusterTrustBundle>({
  group: "certificates.k8s.io",
  version: "v1",
  kind: "ClusterTrustBundle",
  plural: "clustertrustbundles",
  namespaced: false,
  // Judged together with the signer that it must begin with.
  validateName: nameOfTrustBundle,
  validate: validateTrustBundle,
  validateUpdate: validateTrustBundleUpdate,
  releaseStoresVersion: "v1beta1",
  schema: "io.k8s.api.certificates.v1.ClusterTrustBundle",
  storagePrefix: "clustertrustbundles",
  columns: [text("SignerName", ({ spec }) => spec.signerName || "<none>")],
  allowUnconditionalUpdate: false,
  selectableFields: { "spec.signerName": ({ spec }) => spec.signerName ?? "" },
})
