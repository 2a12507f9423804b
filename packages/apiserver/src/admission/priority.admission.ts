/** Gives pods the priority of their class. Mirrors: plugin/pkg/admission/priority */
import { sameResource } from "@knarr/apimachinery"
import { pod, priorityClass } from "@knarr/api"
import type { Pod, PriorityClass } from "@knarr/api"
import { tableOf } from "@knarr/base"
import type { AdmissionPlugin } from "../contract.ts"
import { refusal } from "./refuse.ts"

const systemClasses: Readonly<Record<string, number>> = tableOf({
  "system-cluster-critical": 2_000_000_000,
  "system-node-critical": 2_000_001_000,
})

export const priority: AdmissionPlugin = {
  name: "Priority",
  enabledByDefault: true,
  create: ({ get, list }) => ({
    handles: (a) =>
      (a.operation === "CREATE" || a.operation === "UPDATE") &&
      a.subresource === "" &&
      (sameResource(a.kind, pod) || sameResource(a.kind, priorityClass)),
    admit(a) {
      if (!sameResource(a.kind, pod)) return
      const { spec } = a.object as Pod
      if (a.operation === "UPDATE") {
        const old = a.oldObject as Pod
        // Fields that old clients do not know must not get lost.
        if (spec.priority === undefined && old.spec.priority !== undefined) spec.priority = old.spec.priority
        if (spec.preemptionPolicy === undefined && old.spec.preemptionPolicy !== undefined)
          spec.preemptionPolicy = old.spec.preemptionPolicy
        return
      }
      let value = 0
      let policy: string | undefined = "PreemptLowerPriority"
      if (spec.priorityClassName) {
        const found = get(priorityClass, { name: spec.priorityClassName })
        if (!found && systemClasses[spec.priorityClassName] === undefined)
          throw refusal(a, `no PriorityClass with name ${spec.priorityClassName} was found`)
        value = found?.value ?? systemClasses[spec.priorityClassName] ?? 0
        policy = found?.preemptionPolicy ?? policy
      } else {
        const found = defaultClass(list(priorityClass))
        if (found) {
          spec.priorityClassName = found.metadata.name
          value = found.value ?? 0
          policy = found.preemptionPolicy ?? policy
        }
      }
      if (spec.priority !== undefined && spec.priority !== value)
        throw refusal(
          a,
          `the integer value of priority (${spec.priority}) must not be provided in pod spec; ` +
            `priority admission controller computed ${value} from the given PriorityClass name`,
        )
      spec.priority = value
      if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy)
        throw refusal(
          a,
          `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; ` +
            `priority admission controller computed ${policy} from the given PriorityClass name`,
        )
      spec.preemptionPolicy = policy
    },
    validate(a) {
      if (!sameResource(a.kind, priorityClass)) return
      const obj = a.object as PriorityClass
      if (!obj.globalDefault) return
      const present = defaultClass(list(priorityClass))
      if (present && present.metadata.name !== obj.metadata.name)
        throw refusal(
          a,
          `PriorityClass ${present.metadata.name} is already marked as default. Only one default can exist`,
        )
    },
  }),
}

/** Of several (there should be none) the one with the lowest value. */
function defaultClass(classes: readonly Readonly<PriorityClass>[]): Readonly<PriorityClass> | undefined {
  let found: Readonly<PriorityClass> | undefined
  for (const one of classes)
    if (one.globalDefault && (!found || (one.value ?? 0) < (found.value ?? 0))) found = one
  return found
}
