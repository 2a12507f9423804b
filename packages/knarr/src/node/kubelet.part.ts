/** The node's kubelet. It works once the API has been told that the node is ready. */
import { join } from "node:path"
import { kubernetesVersion } from "@knarr/api"
import { createLinuxMachine, startKubelet, type Kubelet } from "@knarr/kubelet"
import { addressesOf } from "../cluster-home.ts"
import { cgroupRoot } from "../node-names.ts"
import { apiClient } from "./api-client.part.ts"
import { containerRuntime } from "./container-runtime.part.ts"
import { clusterDomain } from "./dns.part.ts"
import { defineNodePart } from "./node-part.ts"
import { kubeletPort } from "./proxy-settings.ts"

export const kubelet = defineNodePart<Kubelet>({
  name: "kubelet",
  needs: [containerRuntime, apiClient],
  async start(env, { cluster, config, local, pki, steps }, { scope, need, health }) {
    const { client } = need(apiClient)
    const dir = cluster.node(local.node)
    const rootDir = join(dir, "kubelet")
    const { runtime, snapshots } = need(containerRuntime)
    const facts = { hostname: local.node }
    const started = await startKubelet({
      ...{ env, client, scope, rootDir, nodeName: local.node },
      version: `v${kubernetesVersion}+knarr`,
      nodeIPs: [local.address],
      runtime,
      machine: createLinuxMachine({ clock: env.clock, rootDir, facts, images: snapshots }),
      podLogsDir: join(dir, "logs", "pods"),
      containerLogsDir: join(dir, "logs", "containers"),
      manifestDir: join(dir, "manifests"),
      clusterDNS: [addressesOf(config).dnsAddress],
      clusterDomain,
      cgroupRoot: cgroupRoot(config, local),
      // Only there: every cluster on this machine has a first node with this port.
      address: local.address,
      port: kubeletPort,
      tls: { ...pki.kubelet, clientCA: pki.ca },
      nodeLogDir: join(dir, "logs"),
      healthChecks: health,
    })
    await started.ready(scope.signal)
    steps.done(`${local.node} ready`)
    return { provides: started }
  },
})
