/** What runs the node's containers: a containerd of the node's own, or the runtime that it is pointed at. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import type { Env } from "@knarr/base"
import { connectRuntime, ensureContainerd, type NodeRuntime } from "@knarr/kubelet"
import { addressesOf } from "../cluster-home.ts"
import { nodeContainerd } from "../node-names.ts"
import { defineNodePart, type NodeContext } from "./node-part.ts"

const cniBinDirs = ["/usr/lib/cni", "/opt/cni/bin"]

export const containerRuntime = defineNodePart<NodeRuntime>({
  name: "container-runtime",
  needs: [],
  async start(env, node, { scope }) {
    const runtime = await findRuntime(env, node, scope.signal)
    node.steps.done(`${runtime.name} ${runtime.adopted ? "found running" : "started"}`)
    return {
      provides: runtime,
      run: (signal) => runtime.run(signal),
      healthy: () => runtime.problem(),
      close: () => runtime.close(),
    }
  },
})

function findRuntime(env: Env, node: NodeContext, signal: AbortSignal): Promise<NodeRuntime> {
  const { cluster, config, local, runtimeSocket } = node
  if (runtimeSocket !== undefined) return connectRuntime({ socket: runtimeSocket, env }, signal)
  const options = {
    ...nodeContainerd(cluster, config, local.node),
    env,
    cniBinDir: cniBinDirs.find((dir) => existsSync(join(dir, "bridge"))) ?? cniBinDirs[0]!,
    cniConfDir: join(cluster.node(local.node), "cni"),
    registryMirror: `http://${addressesOf(config).hostAddress}:${config.registryPort}`,
  }
  return ensureContainerd(options, signal)
}
