/** `ephemeralcontainers` adds debug containers to a running pod; there is no way back. Mirrors: pkg/registry/core/pod */
import { deepClone, deepEqual, field, type FieldError } from "@knarr/apimachinery"
import type { Pod } from "@knarr/api"
import { mainStrategy, type UpdateStrategy } from "../update-strategies.ts"
import { partOfObject } from "../verbs/stored.ts"

const strategy: UpdateStrategy<Pod> = {
  keep(_kind, pod, before) {
    const { ephemeralContainers } = pod.spec ?? {}
    const { resourceVersion, managedFields } = pod.metadata
    pod.metadata = { ...deepClone(before.metadata), resourceVersion } as Pod["metadata"]
    if (managedFields) pod.metadata.managedFields = managedFields
    else delete pod.metadata.managedFields
    pod.spec = deepClone(before.spec) as Pod["spec"]
    if (ephemeralContainers) pod.spec.ephemeralContainers = ephemeralContainers
    else delete pod.spec.ephemeralContainers
    pod.status = deepClone(before.status) as Pod["status"]
  },
  prepare(kind, obj, old, ctx) {
    mainStrategy.prepare(kind, obj, old, ctx)
  },
  validate(kind, obj, old) {
    return [...(kind.validate?.(obj) ?? []), ...validateChange(obj, old)]
  },
}

export const ephemeralContainers = partOfObject({ resource: "pods", name: "ephemeralcontainers", strategy })

function validateChange(pod: Readonly<Pod>, before: Readonly<Pod>): FieldError[] {
  const path = "spec.ephemeralContainers"
  if (before.metadata.annotations?.["kubernetes.io/config.mirror"] !== undefined) {
    return [field.forbidden("", "static pods do not support ephemeral containers")]
  }
  const errors: FieldError[] = []
  const now = pod.spec.ephemeralContainers ?? []
  const then = before.spec.ephemeralContainers ?? []
  const byName = new Map(now.map((container) => [container.name, container]))
  for (const container of then) {
    const present = byName.get(container.name)
    if (!present) {
      errors.push(
        field.forbidden(
          path,
          `existing ephemeral containers ${JSON.stringify(container.name)} may not be removed\n`,
        ),
      )
    } else if (!deepEqual(present, container)) {
      errors.push(
        field.forbidden(
          path,
          `existing ephemeral containers ${JSON.stringify(container.name)} may not be changed\n`,
        ),
      )
    }
  }
  return errors
}
