/**
 * Keeps Services from taking addresses of others as `externalIPs`: none may be added. Off by default.
 * Mirrors: plugin/pkg/admission/network/denyserviceexternalips
 */
import type { Service } from "@knarr/api"
import type { AdmissionPlugin } from "../contract.ts"
import { isResource } from "./is-resource.ts"
import { refusal } from "./refuse.ts"

export const denyServiceExternalIPs: AdmissionPlugin = {
  name: "DenyServiceExternalIPs",
  enabledByDefault: false,
  create: () => ({
    handles: (a) => (a.operation === "CREATE" || a.operation === "UPDATE") && isResource(a, "", "services"),
    validate(a) {
      const had = new Set((a.oldObject as Service | undefined)?.spec.externalIPs)
      const { externalIPs = [] } = (a.object as Service).spec
      if (!externalIPs.every((ip) => had.has(ip)))
        throw refusal(a, "Use of external IPs is denied by admission control")
    },
  }),
}
