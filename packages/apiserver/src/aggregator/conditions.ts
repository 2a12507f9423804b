/** The one condition of an APIService. Mirrors: kube-aggregator pkg/apis/apiregistration/v1/helper */
import type { APIService } from "@knarr/api"
import { deepClone, formatTime } from "@knarr/apimachinery"

export interface Availability {
  readonly status: "True" | "False" | "Unknown"
  readonly reason: string
  readonly message: string
}

const type = "Available"

export const localAvailability: Availability = Object.freeze({
  status: "True",
  reason: "Local",
  message: "Local APIServices are always available",
})

export function isTrueCondition({ status }: Readonly<APIService>): boolean {
  return status?.conditions?.some((one) => one.type === type && one.status === "True") ?? false
}

/** The object with the condition; undefined when it says so already. */
export function withAvailability(
  object: Readonly<APIService>,
  { status, reason, message }: Availability,
  nowMs: number,
): APIService | undefined {
  const present = object.status?.conditions?.find((one) => one.type === type)
  if (present?.status === status && present.reason === reason && present.message === message) return undefined
  const lastTransitionTime = present?.status === status ? present.lastTransitionTime : formatTime(nowMs)
  const next = deepClone(object) as APIService
  const others = next.status?.conditions ?? []
  const condition = { type, status, lastTransitionTime, reason, message }
  const at = others.findIndex((one) => one.type === type)
  next.status = {
    ...next.status,
    conditions: at < 0 ? [...others, condition] : others.with(at, { ...others[at], ...condition }),
  }
  return next
}
