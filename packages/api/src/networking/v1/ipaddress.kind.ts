/** IPAddress (networking.k8s.io/v1). Mirrors: pkg/registry/networking/ipaddress */
import {
  deepEqual,
  defineKind,
  field,
  formatIP,
  goQuote,
  isDNS1123Subdomain,
  isPathSegmentName,
  parseIP,
  type FieldError,
  type Kind,
} from "@knarr/apimachinery"
import { immutableMessage, reasons } from "../../checks.ts"
import { age, text } from "../../columns.ts"
import type { IPAddress, ParentReference } from "./types.gen.ts"

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
  validate: ({ spec }) => validateParent(spec.parentRef),
  // What the type itself declares names no value.
  validateUpdate: ({ spec }, old) =>
    deepEqual(spec.parentRef, old.spec.parentRef)
      ? []
      : [field.invalid("spec.parentRef", null, immutableMessage)],
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
    { ...age, isUntold: true },
  ],
})

/** Whose address it is. */
function validateParent(parent: ParentReference | undefined): FieldError[] {
  const path = "spec.parentRef"
  if (!parent) return [field.required(path, "")]
  const { group, resource, name, namespace } = parent
  const out: FieldError[] = []
  if (group) out.push(...reasons(`${path}.group`, group, isDNS1123Subdomain(group)))
  for (const [key, value] of Object.entries({ resource, name, namespace }))
    if (value) out.push(...reasons(`${path}.${key}`, value, isPathSegmentName(value)))
  // What the type itself declares is told last.
  for (const [key, value] of Object.entries({ resource, name }))
    if (!value) out.push(field.required(`${path}.${key}`, ""))
  return out
}
