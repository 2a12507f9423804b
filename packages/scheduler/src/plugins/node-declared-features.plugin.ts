/** Only nodes whose kubelet says that it can do what the pod needs. Mirrors: plugins/nodedeclaredfeatures, component-helpers nodedeclaredfeatures */
import type { Node, Pod } from "@knarr/api"
import { ActionType, onEvent } from "../framework/cluster-event.ts"
import { stateKey } from "../framework/cycle-state.ts"
import { definePlugin } from "../framework/plugin.ts"
import { skip, unresolvable } from "../framework/status.ts"

const requirements = stateKey<readonly string[]>("PreFilterNodeDeclaredFeatures")
const refusal = unresolvable("node(s) didn't match Pod's required features")

/** Feature → whether the pod needs it. Others that nodes declare are of no concern to where a pod goes. */
const needs: Readonly<Record<string, (spec: Readonly<Pod>["spec"]) => boolean | undefined>> = {
  RestartAllContainersOnContainerExits: ({ containers, initContainers = [] }) =>
    [...containers, ...initContainers].some(({ restartPolicyRules }) =>
      restartPolicyRules?.some(({ action }) => action === "RestartAllContainers"),
    ),
  VolumeBindMountOptions: ({ containers, initContainers = [] }) =>
    [...containers, ...initContainers].some(({ volumeMounts }) =>
      volumeMounts?.some(({ bindMountOptions }) => bindMountOptions?.length),
    ),
  UserNamespacesHostNetworkSupport: ({ hostNetwork, hostUsers }) =>
    hostNetwork === true && hostUsers === false,
}

function neededBy({ spec }: Readonly<Pod>): readonly string[] {
  return Object.keys(needs).filter((feature) => needs[feature]!(spec))
}

export const nodeDeclaredFeatures = definePlugin({
  name: "NodeDeclaredFeatures",
  create: () => ({
    eventsToRegister: () => [
      onEvent<Node>("Node", ActionType.Add | ActionType.UpdateNodeDeclaredFeature, (_pod, old, now) =>
        old && String(old.status.declaredFeatures) === String(now!.status.declaredFeatures)
          ? "QueueSkip"
          : "Queue",
      ),
      onEvent<Pod>("TargetPod", ActionType.Update, (_pod, old, now) =>
        String(neededBy(old!)) === String(neededBy(now!)) ? "QueueSkip" : "Queue",
      ),
    ],
    preFilter(state, pod) {
      const needed = neededBy(pod)
      if (needed.length === 0) return skip
      state.write(requirements, needed)
      return undefined
    },
    filter(state, _pod, { node }) {
      const declared = node.status.declaredFeatures ?? []
      return state.read(requirements).every((feature) => declared.includes(feature)) ? undefined : refusal
    },
  }),
})
