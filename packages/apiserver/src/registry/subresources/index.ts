/** Which subresources update an object of the kind itself, and by which rules. */
import type { Kind } from "@knarr/apimachinery"
import { tableOf } from "@knarr/base"
import { statusStrategy, type UpdateStrategy } from "../update-strategies.ts"
import { approvalStrategy } from "./certificate-approval.ts"
import { ephemeralContainersStrategy } from "./ephemeral-containers.ts"
import { finalizeStrategy } from "./namespace.ts"
import { resizeStrategy } from "./resize.ts"

const strategies: Readonly<Record<string, UpdateStrategy>> = tableOf({
  "namespaces/finalize": finalizeStrategy,
  "pods/ephemeralcontainers": ephemeralContainersStrategy,
  "pods/resize": resizeStrategy,
  "certificates.k8s.io/certificatesigningrequests/approval": approvalStrategy,
})

/** The rules of a subresource that takes and answers the kind itself; undefined when it has a kind of its own. */
export function strategyOf(kind: Kind, subresource: string): UpdateStrategy | undefined {
  if (!kind.subresources.has(subresource)) return undefined
  if (subresource === "status") return statusStrategy
  return strategies[`${kind.group ? `${kind.group}/` : ""}${kind.plural}/${subresource}`]
}
