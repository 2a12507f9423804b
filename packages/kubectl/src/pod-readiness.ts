/** Whether a pod is ready. */
import { at, type Obj } from "./object.ts"

export function isPodReady(pod: Obj): boolean {
  const conditions = (at(pod, "status", "conditions") ?? []) as Obj[]
  return conditions.some((one) => one["type"] === "Ready" && one["status"] === "True")
}
