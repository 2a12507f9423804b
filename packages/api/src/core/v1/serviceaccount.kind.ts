/** ServiceAccount (v1). Mirrors: pkg/registry/core/serviceaccount */
import { defineKind, type Kind } from "@knarr/apimachinery"
import { age } from "../../columns.ts"
import type { ServiceAccount } from "./types.gen.ts"

export const serviceAccount: Kind<ServiceAccount> = defineKind<ServiceAccount>({
  group: "",
  version: "v1",
  kind: "ServiceAccount",
  plural: "serviceaccounts",
  shortNames: ["sa"],
  namespaced: true,
  subresources: [
    {
      name: "token",
      verbs: ["create"],
      kind: { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" },
    },
  ],
  prepareForCreate: keepNamesOfSecrets,
  prepareForUpdate: keepNamesOfSecrets,
  returnDeletedObject: true,
  schema: "io.k8s.api.core.v1.ServiceAccount",
  columns: [age],
  warnings: ({ metadata }, old) =>
    metadata.annotations?.[enforced] === undefined || old?.metadata.annotations?.[enforced] !== undefined
      ? []
      : [
          `metadata.annotations[${enforced}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`,
        ],
})

const enforced = "kubernetes.io/enforce-mountable-secrets"

/** Secrets of an account are in its namespace: only their names say anything. */
function keepNamesOfSecrets(account: ServiceAccount): void {
  if (account.secrets) account.secrets = account.secrets.map(({ name }) => ({ name }))
}
