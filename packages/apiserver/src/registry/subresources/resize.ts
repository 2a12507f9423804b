/** `resize` changes the resources of a running pod's containers. Mirrors: pkg/registry/core/pod ResizeStrategy, ValidatePodResize */
import { deepClone, deepEqual, field, type FieldError, semanticEqual } from "@knarr/apimachinery"
import type { Container, Pod } from "@knarr/api"
import { mainStrategy, type UpdateStrategy } from "../update-strategies.ts"
import { partOfObject } from "../verbs/stored.ts"

const strategy: UpdateStrategy<Pod> = {
  keep(_kind, pod, before) {
    const { resourceVersion, managedFields } = pod.metadata
    const wanted = pod.spec
    pod.metadata = { ...deepClone(before.metadata), resourceVersion } as Pod["metadata"]
    if (managedFields) pod.metadata.managedFields = managedFields
    else delete pod.metadata.managedFields
    pod.spec = deepClone(before.spec) as Pod["spec"]
    pod.spec.containers = resized(before.spec.containers, wanted?.containers)
    if (before.spec.initContainers) {
      pod.spec.initContainers = resized(before.spec.initContainers, wanted?.initContainers)
    }
    if (wanted?.resources) pod.spec.resources = wanted.resources
    pod.status = deepClone(before.status) as Pod["status"]
  },
  prepare(kind, obj, old, ctx) {
    mainStrategy.prepare(kind, obj, old, ctx)
  },
  validate(kind, obj, old) {
    return [...(kind.validate?.(obj) ?? []), ...validateResize(obj, old)]
  },
}

export const resize = partOfObject({ resource: "pods", name: "resize", strategy })

/** The old containers with the resources and resize policies of those of the same name. */
function resized(old: readonly Container[], wanted: readonly Container[] | undefined): Container[] {
  const byName = new Map((wanted ?? []).map((container) => [container.name, container]))
  return old.map((container) => {
    const out = deepClone(container)
    const change = byName.get(container.name)
    if (!change) return out
    if (change.resources) out.resources = change.resources
    else delete out.resources
    if (change.resizePolicy) out.resizePolicy = change.resizePolicy
    return out
  })
}

function validateResize(pod: Readonly<Pod>, old: Readonly<Pod>): FieldError[] {
  const errors: FieldError[] = []
  if (old.metadata.annotations?.["kubernetes.io/config.mirror"] !== undefined) {
    return [field.forbidden("", "static pods cannot be resized")]
  }
  if (old.spec.os?.name === "windows") {
    return [field.forbidden("", "windows pods cannot be resized")]
  }
  if (pod.status?.qosClass && qosOf(pod) !== pod.status.qosClass) {
    errors.push(
      field.invalid("spec", pod.status.qosClass, "Pod QOS Class may not change as a result of resizing"),
    )
  }
  for (const [list, path] of [
    ["containers", "spec.containers"],
    ["initContainers", "spec.initContainers"],
  ] as const) {
    const before = old.spec[list] ?? []
    for (const [i, container] of (pod.spec[list] ?? []).entries()) {
      const was = before[i]!
      if (semanticEqual(container.resources, was.resources)) continue
      const here = `${path}[${i}]`
      if (list === "initContainers" && container.restartPolicy !== "Always") {
        errors.push(
          field.forbidden(`${here}.resources`, "resources for non-sidecar init containers are immutable"),
        )
      }
      for (const kind of ["requests", "limits"] as const) {
        const now = container.resources?.[kind] ?? {}
        const then = was.resources?.[kind] ?? {}
        for (const name of new Set([...Object.keys(now), ...Object.keys(then)])) {
          if (name === "cpu" || name === "memory") {
            if (then[name] !== undefined && now[name] === undefined) {
              errors.push(field.forbidden(`${here}.resources.${kind}`, `resource ${kind} cannot be removed`))
            }
          } else if (!deepEqual(now[name], then[name])) {
            errors.push(field.forbidden("spec", "only cpu and memory resources are mutable"))
          }
        }
      }
    }
  }
  return errors
}

/** Mirrors: pkg/apis/core/v1/helper/qos GetPodQOS, as far as cpu and memory go. */
function qosOf(pod: Readonly<Pod>): string {
  let any = false
  let guaranteed = true
  for (const container of [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]) {
    const { limits = {}, requests = {} } = container.resources ?? {}
    for (const name of ["cpu", "memory"]) {
      const limit = isZero(limits[name]) ? undefined : limits[name]
      const request = isZero(requests[name]) ? limit : requests[name]
      if (limit !== undefined || request !== undefined) any = true
      if (limit === undefined || request !== limit) guaranteed = false
    }
  }
  return any ? (guaranteed ? "Guaranteed" : "Burstable") : "BestEffort"
}

function isZero(quantity: string | undefined): boolean {
  return quantity === undefined || /^0+(\.0*)?[A-Za-z]*$/.test(quantity)
}
