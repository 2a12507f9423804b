/** A pod, and requests in the name of somebody else. */
import { type Step } from "../../script.ts"

export const pod = (
  name: string,
  more: Record<string, unknown> = {},
  metadata: Record<string, unknown> = {},
): Record<string, unknown> => ({
  metadata: { name, ...metadata },
  spec: { containers: [{ name: "c", image: "nginx" }], ...more },
})

export function as(user: string, groups: readonly string[], step: Step): Step {
  return {
    ...step,
    headers: {
      ...step.headers,
      "impersonate-user": user,
      ...(groups[0] ? { "impersonate-group": groups[0] } : {}),
    },
  }
}
