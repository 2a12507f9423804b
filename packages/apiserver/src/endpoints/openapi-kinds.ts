/**
 * Which kinds a definition is the shape of, for `x-kubernetes-group-version-kind`.
 * Mirrors: apiserver pkg/endpoints/openapi GetDefinitionName
 */
import type { Kind } from "@knarr/apimachinery"
import { nameOf, type Json } from "./openapi-schemas.ts"

const meta = "io.k8s.apimachinery.pkg.apis.meta.v1"

/** Groups of the release by version: all that have `DeleteOptions` and `WatchEvent`, served or not. */
const registered: Readonly<Record<string, readonly string[]>> = {
  "": ["v1"],
  "admission.k8s.io": ["v1", "v1beta1"],
  "admissionregistration.k8s.io": ["v1", "v1alpha1", "v1beta1"],
  "apiextensions.k8s.io": ["v1", "v1beta1"],
  "apiregistration.k8s.io": ["v1", "v1beta1"],
  apps: ["v1", "v1beta1", "v1beta2"],
  "authentication.k8s.io": ["v1", "v1alpha1", "v1beta1"],
  "authorization.k8s.io": ["v1", "v1beta1"],
  autoscaling: ["v1", "v2"],
  batch: ["v1", "v1beta1"],
  "certificates.k8s.io": ["v1", "v1alpha1", "v1beta1"],
  "coordination.k8s.io": ["v1", "v1alpha2", "v1beta1"],
  "discovery.k8s.io": ["v1", "v1beta1"],
  "events.k8s.io": ["v1", "v1beta1"],
  extensions: ["v1beta1"],
  "flowcontrol.apiserver.k8s.io": ["v1", "v1beta1", "v1beta2", "v1beta3"],
  "imagepolicy.k8s.io": ["v1alpha1"],
  "internal.apiserver.k8s.io": ["v1alpha1"],
  "lifecycle.k8s.io": ["v1alpha1"],
  "networking.k8s.io": ["v1", "v1beta1"],
  "node.k8s.io": ["v1", "v1alpha1", "v1beta1"],
  policy: ["v1", "v1beta1"],
  "rbac.authorization.k8s.io": ["v1", "v1alpha1", "v1beta1"],
  "resource.k8s.io": ["v1", "v1alpha3", "v1beta1", "v1beta2"],
  "scheduling.k8s.io": ["v1", "v1alpha3", "v1beta1"],
  "storage.k8s.io": ["v1", "v1alpha1", "v1beta1"],
  "storagemigration.k8s.io": ["v1", "v1beta1"],
}

/** Groups that the part of the release that serves custom resources does not know. */
const unknownToCustom = new Set([
  "admission.k8s.io",
  "apiextensions.k8s.io",
  "apiregistration.k8s.io",
  "imagepolicy.k8s.io",
])

/** `only`: the document's own group and version, beside which it knows the core group's; undefined for one of all. */
export function definitionKinds(
  kinds: readonly Kind[],
  only?: { readonly group: string; readonly version: string },
): Map<string, Json[]> {
  const gvks = new Map<string, Json[]>()
  for (const one of kinds) gvks.set(nameOf(one), [{ group: one.group, kind: one.kind, version: one.version }])
  for (const kind of ["APIGroup", "APIGroupList", "APIResourceList", "APIVersions", "Status"])
    gvks.set(`${meta}.${kind}`, [{ group: "", kind, version: "v1" }])
  const native = kinds.filter(({ rules }) => rules === "native")
  const served = new Set(native.map(({ group, version }) => `${group}/${version}`))
  const all = Object.entries(registered).flatMap(([group, versions]) =>
    versions.map((version) => `${group}/${version}`),
  )
  const everywhere = [...new Set([...all, ...served])].sort()
  const own = only && `${only.group}/${only.version}`
  const isCustom = kinds.some(
    (kind) => kind.rules === "structural" && `${kind.group}/${kind.version}` === own,
  )
  const names = isCustom
    ? all.filter((name) => !unknownToCustom.has(name.split("/")[0]!)).sort()
    : own
      ? [...new Set(["/v1", own])]
      : everywhere
  for (const kind of ["DeleteOptions", "WatchEvent"])
    gvks.set(
      `${meta}.${kind}`,
      names.map((name) => {
        const [group, version] = name.split("/")
        return { group, kind, version }
      }),
    )
  return gvks
}
