/** IPAddress (networking.k8s.io/v1). Mirrors: pkg/registry/networking/ipaddress */
import { defineKind, formatIP, goQuote, parseIP, type Kind } from "@knarr/apimachinery"
import { text } from "../../columns.ts"
import type { IPAddress } from "./types.gen.ts"

export const ipAddress: Kind<IPAddress> = defineKind<IPAddress>({
  group: "networking.k8s.io",
  version: "v1",
  kind: "IPAddress",
  plural: "ipaddresses",
  shortNames: ["ip"],
  namespaced: false,
  // Named after the address, in its canonical form.
  validateName(name) {
    const address = parseIP(name)
    if (!address) return ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
    const canonical = formatIP(address)
    return canonical === name ? [] : [`must be in canonical form (${goQuote(canonical)})`]
  },
  schema: "io.k8s.api.networking.v1.IPAddress",
  storagePrefix: "ipaddresses",
  columns: [
    text("ParentRef", ({ spec: { parentRef } }) => {
      if (!parentRef) return "<none>"
      const resource = parentRef.group ? `${parentRef.resource}.${parentRef.group}` : parentRef.resource
      return [
        (resource ?? "").toLowerCase(),
        ...(parentRef.namespace ? [parentRef.namespace] : []),
        parentRef.name,
      ].join("/")
    }),
  ],
})
