/** Parameters of policies, by name or selector. Mirrors: apiserver pkg/admission/plugin/policy/generic/policy_dispatcher.go (CollectParams) */
import type { ParamKind, ParamRef } from "@knarr/api"
import { type Kind, type KubeObject, selectorFrom } from "@knarr/apimachinery"
import type { AdmissionDeps, GroupVersionKind } from "../../contract.ts"

export type Param = Readonly<KubeObject>

export function paramKindName({ apiVersion = "", kind = "" }: ParamKind): GroupVersionKind {
  const slash = apiVersion.indexOf("/")
  return { group: slash < 0 ? "" : apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1), kind }
}

/**
 * The parameters that a binding names, out of the server's own caches: what was written counts for the next request.
 * None at all means that the binding does not apply. Throws what keeps it from being applied.
 */
export function findParams(
  kind: Kind,
  ref: ParamRef | undefined,
  namespaceOfRequest: string,
  deps: Pick<AdmissionDeps, "get" | "list">,
): readonly (Param | undefined)[] {
  if (!ref) return [undefined]
  let namespace = ""
  if (kind.namespaced) {
    namespace = ref.namespace || namespaceOfRequest
    if (namespace === "")
      throw new Error(
        "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources",
      )
  } else if (ref.namespace)
    throw new Error("paramRef.namespace must not be provided for a cluster-scoped `paramKind`")
  const found = ref.name
    ? [deps.get(kind, { namespace, name: ref.name })].filter((param) => param !== undefined)
    : selected(kind, ref, namespace, deps)
  if (found.length === 0 && ref.parameterNotFoundAction === "Deny")
    throw new Error("no params found for policy binding with `Deny` parameterNotFoundAction")
  return found
}

function selected(
  kind: Kind,
  { selector }: ParamRef,
  namespace: string,
  deps: Pick<AdmissionDeps, "list">,
): readonly Param[] {
  const wanted = selectorFrom(selector)
  return deps.list(kind, namespace).filter(({ metadata }) => wanted.matches(metadata.labels ?? {}))
}
