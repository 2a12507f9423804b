/** What is beside or below an object, and what admission makes of it. */
import type { Script } from "../script.ts"
import { escalation, nodes } from "./subresources/access.ts"
import { limits, podSecurity, priority, quota } from "./subresources/admission.ts"
import { garbage, namespaces, scale, services } from "./subresources/objects.ts"
import { certificates, pods, tokens } from "./subresources/pods.ts"

export function subresourceScripts(): Script[] {
  return (
    [
      ["pods", pods],
      ["tokens", tokens],
      ["certificates", certificates],
      ["quota", quota],
      ["limits", limits],
      ["pod-security", podSecurity],
      ["escalation", escalation],
      ["nodes", nodes],
      ["services", services],
      ["namespaces", namespaces],
      ["scale", scale],
      ["finalizers", garbage],
      ["priority", priority],
    ] as const
  ).map(([name, steps]) => ({ group: "subresources", name, steps: steps(`sub-${name}`) }))
}
