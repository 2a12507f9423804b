/** Namespaces say what their pods tolerate, and may. Mirrors: plugin/pkg/admission/podtolerationrestriction, pkg/util/tolerations */
import { namespace } from "@knarr/api"
import type { Namespace, Pod, Toleration } from "@knarr/api"
import { decodeJson, notFound, schemaOf, semanticEqual, unexpectedError } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import { podLimits, podRequests } from "@knarr/pod-rules"
import { decodeConfig, type ConfigType } from "@knarr/client"
import type { AdmissionAttributes, AdmissionDeps, AdmissionPlugin } from "../contract.ts"
import { isPodWrite } from "./pods.admission.ts"

const defaultsKey = "scheduler.alpha.kubernetes.io/defaultTolerations"
const allowedKey = "scheduler.alpha.kubernetes.io/tolerationsWhitelist"

interface Configuration {
  readonly default?: readonly Toleration[]
  readonly whitelist?: readonly Toleration[]
}

const type: ConfigType = {
  apiVersions: ["podtolerationrestriction.admission.k8s.io/v1alpha1"],
  kind: "Configuration",
  packageName: "io.k8s.podtolerationrestriction.v1alpha1",
  table: {
    Configuration: {
      apiVersion: "string",
      default: "[]Toleration",
      kind: "string",
      whitelist: "[]Toleration",
    },
    Toleration: {
      effect: "string",
      key: "string",
      operator: "string",
      tolerationSeconds: "int64",
      value: "string",
    },
  },
}

const memoryPressure: Toleration = {
  key: "node.kubernetes.io/memory-pressure",
  operator: "Exists",
  effect: "NoSchedule",
}

export const podTolerationRestriction: AdmissionPlugin = {
  name: "PodTolerationRestriction",
  enabledByDefault: false,
  create(deps, configuration) {
    const cluster = configuration === undefined ? {} : decodeConfig<Configuration>(configuration, type)
    const check = (a: AdmissionAttributes): void => {
      const { tolerations = [] } = (a.object as Pod).spec
      if (tolerations.length === 0) return
      const own = tolerationsIn(namespaceOf(a, deps), allowedKey)
      const allowed = own ?? cluster.whitelist ?? []
      if (allowed.length === 0) return
      if (!tolerations.every((one) => allowed.some((wide) => covers(wide, one))))
        throw unexpectedError(
          `pod tolerations (possibly merged with namespace default tolerations) conflict with its ${own ? "namespace" : "cluster"} whitelist`,
        )
    }
    return {
      handles: isPodWrite,
      admit(a) {
        const object = a.object as Pod
        const added =
          a.operation === "CREATE"
            ? [...(tolerationsIn(namespaceOf(a, deps), defaultsKey) ?? cluster.default ?? [])]
            : []
        if (!isBestEffort(object)) added.push(memoryPressure)
        if (added.length > 0) object.spec.tolerations = merged([...(object.spec.tolerations ?? []), ...added])
        check(a)
      },
      validate: check,
    }
  },
}

function isBestEffort(object: Readonly<Pod>): boolean {
  return [podRequests(object), podLimits(object)].every(
    (amounts) => !(amounts["cpu"] ?? 0) && !(amounts["memory"] ?? 0),
  )
}

function namespaceOf(a: AdmissionAttributes, { get }: Pick<AdmissionDeps, "get">): Readonly<Namespace> {
  const found = get(namespace, { name: a.namespace })
  if (!found) throw notFound({ group: "", resource: "namespaces" }, a.namespace)
  return found
}

/** Undefined where the namespace says nothing. */
function tolerationsIn({ metadata }: Readonly<Namespace>, key: string): Toleration[] | undefined {
  const text = metadata.annotations?.[key]
  if (text === undefined) return undefined
  if (text === "") return []
  try {
    const schema = { type: "array", items: schemaOf("io.k8s.api.core.v1.Toleration") } as const
    return decodeJson<Toleration[]>(schema, text).object
  } catch (thrown) {
    throw unexpectedError(messageOf(thrown))
  }
}

/** Without those that others cover; of equal ones the first. */
function merged(all: readonly Toleration[]): Toleration[] {
  const kept: Toleration[] = []
  for (const [i, one] of all.entries()) {
    const isCovered =
      kept.some((other) => covers(other, one)) ||
      all.slice(i + 1).some((other) => !semanticEqual(one, other) && covers(other, one))
    if (!isCovered) kept.push(one)
  }
  return kept
}

/** Whether `wide` tolerates everything that `one` does. */
function covers(wide: Toleration, one: Toleration): boolean {
  if (semanticEqual(wide, one)) return true
  if ((one.key ?? "") !== (wide.key ?? "") && ((wide.key ?? "") !== "" || wide.operator !== "Exists"))
    return false
  if ((wide.effect ?? "") !== "" && one.effect !== wide.effect) return false
  const { tolerationSeconds: most } = wide
  if (wide.effect === "NoExecute" && most !== undefined)
    if (one.tolerationSeconds === undefined || one.tolerationSeconds > most) return false
  if (wide.operator === "Exists") return true
  return one.operator === "Equal" && (one.value ?? "") === (wide.value ?? "")
}
