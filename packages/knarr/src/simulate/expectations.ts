/** Whether what a scenario expects holds at this moment. Pure but for reading the registry. */
import { kinds } from "@knarr/api"
import type { ControlPlane } from "@knarr/apiserver"
import { parseSelector, type Kind, type KubeObject } from "@knarr/apimachinery"
import type { Expectation, Target } from "./scenario.ts"

type Registry = ControlPlane["registry"]
type WithStatus = KubeObject & {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] }
}

/** Undefined when it holds, else what is there instead. */
export function checkExpectation({ target, check }: Expectation, registry: Registry): string | undefined {
  const kind = builtInKind(target.kind)
  if (!kind) return `there is no kind "${target.kind}"`
  if (check.of === "count") {
    const count = listTargets(target, kind, registry).length
    return count >= check.atLeast && count <= check.atMost ? undefined : `there are ${count}`
  }
  const found = registry.get(kind, refOf(target, kind)) as WithStatus | undefined
  if (check.of === "exists")
    return (found !== undefined) === check.exists ? undefined : `it is ${found ? "" : "not "}there`
  if (!found) return "it is not there"
  if (check.of === "condition") {
    const status = found.status?.conditions?.find(({ type }) => type === check.type)?.status
    return status === check.status ? undefined : `it is ${status ?? "not set"}`
  }
  const text = check.path.execute(found)
  return text === check.equals ? undefined : `it is ${JSON.stringify(text)}`
}

/** By its kind's name, as manifests have it. */
export function builtInKind(name: string, apiVersion?: string): Kind | undefined {
  const found = kinds.find(
    (one) => one.kind === name && (apiVersion === undefined || one.apiVersion === apiVersion),
  )
  return found as Kind | undefined
}

export function listTargets(target: Target, kind: Kind, registry: Registry): readonly KubeObject[] {
  if (target.name !== undefined) {
    const found = registry.get(kind, refOf(target, kind)) as KubeObject | undefined
    return found ? [found] : []
  }
  const selector = parseSelector(target.selector ?? "")
  const all = registry.list(kind, kind.namespaced ? target.namespace : undefined) as readonly KubeObject[]
  return all.filter(({ metadata }) => selector.matches(metadata.labels ?? {}))
}

export function refOf({ namespace, name = "" }: Target, kind: Kind): { namespace?: string; name: string } {
  return kind.namespaced ? { namespace, name } : { name }
}
