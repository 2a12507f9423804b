/** Namespaces say on which nodes their pods may be. Mirrors: plugin/pkg/admission/podnodeselector */
import { namespace } from "@knarr/api"
import type { Pod } from "@knarr/api"
import { forbidden, notFound, unexpectedError } from "@knarr/apimachinery"
import type { AdmissionAttributes, AdmissionDeps, AdmissionPlugin } from "../contract.ts"
import { isResource } from "./is-resource.ts"

const annotation = "scheduler.alpha.kubernetes.io/node-selector"

type Labels = Readonly<Record<string, string>>

/** Selectors by namespace; `clusterDefaultNodeSelector` is that of those that say nothing. */
function selectorsOf(configuration: unknown): Readonly<Record<string, string>> {
  const { podNodeSelectorPluginConfig: config = {} } = (configuration ?? {}) as {
    podNodeSelectorPluginConfig?: unknown
  }
  const isTexts =
    typeof config === "object" &&
    config !== null &&
    Object.values(config).every((text) => typeof text === "string")
  if (!isTexts)
    throw new Error(
      "Cannot configure the admission plugin PodNodeSelector: podNodeSelectorPluginConfig is to have a text for each namespace",
    )
  return config as Readonly<Record<string, string>>
}

export const podNodeSelector: AdmissionPlugin = {
  name: "PodNodeSelector",
  enabledByDefault: false,
  create(deps, configuration) {
    const cluster = selectorsOf(configuration)
    const check = (a: AdmissionAttributes, wanted: Labels): void => {
      const { spec, metadata } = a.object as Pod
      const refuse = (why: string): never => {
        throw forbidden({ group: "", resource: "pods" }, metadata.name ?? "", why)
      }
      const own = spec.nodeSelector ?? {}
      if (Object.keys(wanted).some((key) => own[key] !== undefined && own[key] !== wanted[key]))
        refuse("pod node label selector conflicts with its namespace node label selector")
      const allowed = labelsOf(cluster[a.namespace] ?? "")
      if (Object.keys(allowed).length > 0 && Object.keys(own).some((key) => allowed[key] !== own[key]))
        refuse("pod node label selector labels conflict with its namespace whitelist")
    }
    return {
      handles: (a) => a.operation === "CREATE" && isResource(a, "", "pods"),
      admit(a) {
        const wanted = wantedIn(a.namespace, cluster, deps)
        const { spec } = a.object as Pod
        const own = spec.nodeSelector ?? {}
        if (Object.keys(wanted).every((key) => own[key] === undefined || own[key] === wanted[key])) {
          const merged = { ...wanted, ...own }
          if (Object.keys(merged).length > 0) spec.nodeSelector = merged
        }
        check(a, wanted)
      },
      validate: (a) => check(a, wantedIn(a.namespace, cluster, deps)),
    }
  },
}

function wantedIn(name: string, cluster: Labels, { get }: Pick<AdmissionDeps, "get">): Labels {
  const found = get(namespace, { name })
  if (!found) throw notFound({ group: "", resource: "namespaces" }, name)
  return labelsOf(found.metadata.annotations?.[annotation] ?? cluster["clusterDefaultNodeSelector"] ?? "")
}

/** `a=b,c=d`. */
function labelsOf(text: string): Labels {
  if (text === "") return {}
  return Object.fromEntries(
    text.split(",").map((one) => {
      const parts = one.split("=")
      if (parts.length !== 2) throw unexpectedError(`invalid selector: [${parts.join(" ")}]`)
      return parts.map((part) => part.trim()) as [string, string]
    }),
  )
}
