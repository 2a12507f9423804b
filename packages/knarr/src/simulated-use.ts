/** What the containers of simulated nodes use: nobody has to be asked, since somebody said it. */
import { node as nodeKind, pod as podKind, type Pod } from "@knarr/api"
import type { KnownNodeUse } from "@knarr/apiserver"
import type { InformerFactory } from "@knarr/client"
import { behaviourOf, type SimulatedHost } from "@knarr/kubelet"
import { isSimulatedNode } from "@knarr/pod-rules"

/** As the simulated runtime has it. */
const defaults = { cpuNanoCores: 1_000_000, memoryBytes: 10 * 1024 * 1024 }
const nodeIndex = "simulatedUse"

/** By their pods' annotations; undefined for a node that is not simulated. */
export function annotatedUse(informers: InformerFactory): (node: string) => KnownNodeUse | undefined {
  const nodes = informers.informer(nodeKind)
  const pods = informers.informer(podKind)
  pods.addIndex(nodeIndex, ({ spec }) => (spec.nodeName ? [spec.nodeName] : []))
  return (name) => {
    const found = nodes.get({ name })
    if (!found || !isSimulatedNode(found)) return undefined
    return new Map(pods.byIndex(nodeIndex, name).map((one) => [keyOf(one.metadata), useOf(one)]))
  }
}

function useOf(one: Readonly<Pod>): ReadonlyMap<string, typeof defaults> {
  const { containerStatuses = [], initContainerStatuses = [] } = one.status
  return new Map(
    [...initContainerStatuses, ...containerStatuses]
      .filter(({ state }) => state?.running)
      .map(({ name }) => [name, { ...defaults, ...behaviourOf(one, name) }]),
  )
}

/** Of the containers that run on a simulated host. */
export function hostUse({ containers }: SimulatedHost): KnownNodeUse {
  const out = new Map<string, Map<string, typeof defaults>>()
  for (const { state, config, sandbox, behaviour } of containers.values()) {
    const { namespace = "", name = "" } = sandbox.config.metadata ?? {}
    if (state !== "CONTAINER_RUNNING") continue
    const key = keyOf({ namespace, name })
    let of = out.get(key)
    if (!of) out.set(key, (of = new Map()))
    of.set(config.metadata?.name ?? "", { ...defaults, ...behaviour })
  }
  return out
}

function keyOf({
  namespace,
  name,
}: {
  readonly namespace?: string | undefined
  readonly name: string
}): string {
  return `${namespace ?? ""}/${name}`
}
