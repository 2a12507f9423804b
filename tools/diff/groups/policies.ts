/** Admission policies: as they are written, and what they do to requests. */
import type { Script } from "../script.ts"
import { mutated } from "./policies/mutated.ts"
import { refused } from "./policies/refused.ts"
import { seen } from "./policies/seen.ts"
import { written, writtenMutating } from "./policies/written.ts"

export function policyScripts(): Script[] {
  return (
    [
      ["written", written],
      ["written-mutating", writtenMutating],
      ["seen", seen],
      ["refused", refused],
      ["mutated", mutated],
    ] as const
  ).map(([name, steps]) => ({ group: "policies", name, steps: steps(`policies-${name}`) }))
}
