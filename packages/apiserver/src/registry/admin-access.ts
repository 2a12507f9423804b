/**
 * Admin access to devices is for namespaces that are labelled for it.
 * Mirrors: pkg/registry/resource/utils.go (AuthorizedForAdmin)
 */
import { field, type KubeObject } from "@knarr/apimachinery"
import type { WriteHooks } from "./write-hooks.ts"

const label = "resource.kubernetes.io/admin-access"

interface Claim extends KubeObject {
  spec?: { devices?: { requests?: { exactly?: { adminAccess?: boolean } }[] }; spec?: Claim["spec"] }
}

/** Hooks of resource claims and of their templates; `namespace` finds a namespace by its name. */
export function createAdminAccessHooks(
  namespace: (name: string) => Readonly<KubeObject> | undefined,
): WriteHooks {
  return {
    validateCreate(obj) {
      const { spec } = obj as Claim
      const { devices } = spec?.spec ?? spec ?? {}
      const i = devices?.requests?.findIndex(({ exactly }) => exactly?.adminAccess === true) ?? -1
      if (i < 0) return []
      const of = namespace(obj.metadata.namespace ?? "")
      if (of?.metadata.labels?.[label] === "true") return []
      const detail = `admin access to devices requires the \`${label}: true\` label on the containing namespace`
      return [field.forbidden(`spec.devices.requests[${i}].adminAccess`, detail)]
    },
  }
}
