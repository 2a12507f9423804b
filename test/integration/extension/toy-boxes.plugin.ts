/**
 * A scheduler plugin of the test's own that uses the whole contract: there are so many boxes in the cluster, each pod
 * that is labelled `box` takes one, pods of a `pair` are bound together, and a pod that finds no box free has one
 * emptied of a pod of lower priority.
 */
import { pod as podKind, type Pod } from "@knarr/api"
import {
  ActionType,
  definePlugin,
  onEvent,
  skip,
  stateKey,
  success,
  unschedulable,
  wait,
  type CycleState,
  type Handle,
  type NodeInfo,
  type PodInfo,
} from "@knarr/scheduler"

export interface ToyBoxesArgs {
  readonly boxes: number
  /** How long a pod waits for the other of its pair, in milliseconds. */
  readonly pairWaitMs: number
}

/** How many boxes are taken; a what-if counts on its own copy. */
const taken = stateKey<{ count: number }>("PreFilterToyBoxes", ({ count }) => ({ count }))
const noBoxes = unschedulable("node(s) had no free boxes")

const hasBox = (pod: Readonly<Pod>): boolean => pod.metadata.labels?.["box"] !== undefined
const pairOf = (pod: Readonly<Pod>): string | undefined => pod.metadata.labels?.["pair"]
const priorityOf = (pod: Readonly<Pod>): number => pod.spec.priority ?? 0

export const toyBoxes = definePlugin<ToyBoxesArgs>({
  name: "ToyBoxes",
  defaultArgs: { boxes: 1, pairWaitMs: 30_000 },
  create(handle, { boxes, pairWaitMs }) {
    if (!(boxes > 0)) throw new Error(`boxes: Invalid value: ${boxes}: must be greater than 0`)
    /** Box → UID of the pod in it. */
    const reserved = new Map<number, string>()
    const boxOf = (uid: string): number | undefined => [...reserved].find(([, inside]) => inside === uid)?.[0]
    const recount = (state: CycleState, { pod }: PodInfo, by: number): undefined => {
      if (hasBox(pod)) state.read(taken).count += by
      return undefined
    }
    return {
      eventsToRegister: () => [
        onEvent<Pod>("AssignedPod", ActionType.Delete, (_pod, old) => (hasBox(old!) ? "Queue" : "QueueSkip")),
        onEvent<Pod>("UnscheduledPod", ActionType.Add, (pod, _old, now) =>
          pairOf(pod) && pairOf(pod) === pairOf(now!) ? "Queue" : "QueueSkip",
        ),
      ],

      preFilter(state, pod, nodes) {
        if (!hasBox(pod)) return skip
        let count = 0
        for (const node of nodes) for (const info of node.pods.values()) if (hasBox(info.pod)) count++
        state.write(taken, { count })
        return undefined
      },
      addPod: (state, _pod, added) => recount(state, added, 1),
      removePod: (state, _pod, removed) => recount(state, removed, -1),
      filter: (state) => (state.read(taken).count < boxes ? undefined : noBoxes),

      postFilter(state, pod, statuses) {
        for (const node of statuses.nodesWith("Unschedulable", state.snapshot)) {
          const victims = victimsOn(handle, state, pod, node)
          if (!victims) continue
          for (const { pod: victim } of victims) evict(handle, victim)
          const what = `toys: found a place on node ${node.name}, evicting ${victims.length} pods`
          return { status: success(what), nominatedNode: node.name }
        }
        return { status: unschedulable("toys: no box can be emptied.") }
      },

      reserve(_state, { metadata }) {
        let box = 1
        while (reserved.has(box)) box++
        reserved.set(box, metadata.uid)
        return undefined
      },
      unreserve(_state, { metadata }) {
        const box = boxOf(metadata.uid)
        if (box !== undefined) reserved.delete(box)
      },

      permit(_state, pod) {
        const pair = pairOf(pod)
        if (!pair) return undefined
        const other = handle.waitingPods.list().find((waiting) => pairOf(waiting.pod) === pair)
        if (!other) return wait(pairWaitMs)
        other.allow("ToyBoxes")
        return undefined
      },

      postBind(_state, pod) {
        if (hasBox(pod)) handle.recorder.event(pod, "Normal", "Boxed", `In box ${boxOf(pod.metadata.uid)}`)
      },
    }
  },
})

/** The fewest pods of lower priority without which the pod fits on the node; undefined when it does not. */
function victimsOn(
  handle: Handle,
  state: CycleState,
  pod: Readonly<Pod>,
  node: NodeInfo,
): readonly PodInfo[] | undefined {
  const what = { state: state.clone(), node: node.clone() }
  const candidates = [...node.pods.values()]
    .filter((info) => priorityOf(info.pod) < priorityOf(pod))
    .sort((a, b) => priorityOf(a.pod) - priorityOf(b.pod))
  for (const [i, candidate] of candidates.entries()) {
    handle.removePod(what.state, pod, candidate, what.node)
    if (!handle.runFilterPluginsWithNominatedPods(what.state, pod, what.node))
      return candidates.slice(0, i + 1)
  }
  return undefined
}

function evict({ client, scope }: Handle, { metadata }: Readonly<Pod>): void {
  const { uid, namespace, name } = metadata
  scope.run(
    "evict",
    (signal) =>
      client.delete(podKind, { namespace, name }, { preconditions: { uid }, signal }).then(() => {}),
    { contained: true },
  )
}
