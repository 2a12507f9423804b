/** ClusterTrustBundle (certificates.k8s.io/v1). Mirrors: pkg/registry/certificates/clustertrustbundle */
import { defineKind, nameIsDNSSubdomain, type Kind } from "@knarr/apimachinery"
import { text } from "../../columns.ts"
import type { ClusterTrustBundle } from "./types.gen.ts"

export const clusterTrustBundle: Kind<ClusterTrustBundle> = defineKind<ClusterTrustBundle>({
  group: "certificates.k8s.io",
  version: "v1",
  kind: "ClusterTrustBundle",
  plural: "clustertrustbundles",
  namespaced: false,
  // `signer.example.com/class` names its bundles `signer.example.com:class:…`.
  validateName: (name, prefix) => nameIsDNSSubdomain(name.slice(name.lastIndexOf(":") + 1), prefix),
  schema: "io.k8s.api.certificates.v1.ClusterTrustBundle",
  storagePrefix: "clustertrustbundles",
  columns: [text("SignerName", ({ spec }) => spec.signerName || "<none>")],
  allowUnconditionalUpdate: false,
  selectableFields: { "spec.signerName": ({ spec }) => spec.signerName ?? "" },
})
