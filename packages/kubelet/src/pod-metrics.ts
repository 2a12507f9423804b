/** What the kubelet tells of its node and its pods. Mirrors: pkg/kubelet/metrics/metrics.go */
import type { Meter, Scope } from "@knarr/base"
import type { StatusManager } from "./contract.ts"
import type { PodObjectReader } from "./objects/object-reader.ts"
import type { NodePodWorkers } from "./pod-worker/pod-workers.ts"

/** Adds the gauges; they are taken away with `scope`. */
export function addPodMetrics(
  options: {
    readonly meter: Meter
    readonly scope: Scope
    readonly nodeName: string
    readonly version: string
  },
  workers: NodePodWorkers,
  status: StatusManager,
  objects: PodObjectReader,
): void {
  const { meter, scope, nodeName, version } = options
  const statuses = () => workers.pods().map(({ pod }) => status.get(pod.metadata.uid) ?? pod.status)
  const gauge = (
    ...how: Parameters<Meter["collect"]> extends [unknown, ...infer Rest] ? Rest : never
  ): void => void scope.use(meter.collect("gauge", ...how))
  gauge(
    { name: "kubelet_node_name", help: "The node's name. The count is always 1.", labels: ["node"] },
    () => [[[nodeName], 1]],
  )
  gauge(
    {
      name: "kubelet_podcertificate_states",
      help: "Gauge vector reporting the number of pod certificate projected volume sources, faceted by signer_name and state.",
      labels: ["signer_name", "state"],
    },
    () =>
      [...objects.certificateStates()].flatMap(([signer, counts]) =>
        [...counts].map(([state, count]) => [[signer, state], count] as const),
      ),
  )
  gauge(
    {
      name: "kubelet_running_pods",
      help: "Number of pods that have a running pod sandbox",
      stability: "BETA",
    },
    () => [[[], statuses().filter(({ phase }) => phase === "Running").length]],
  )
  gauge(
    {
      name: "kubelet_running_containers",
      help: "Number of containers currently running",
      labels: ["container_state"],
      stability: "BETA",
    },
    () => {
      const counts = { created: 0, exited: 0, running: 0, unknown: 0 }
      for (const { containerStatuses = [], initContainerStatuses = [] } of statuses())
        for (const { state } of [...containerStatuses, ...initContainerStatuses]) {
          if (state?.running) counts.running++
          else if (state?.terminated) counts.exited++
        }
      return Object.entries(counts).map(([state, count]) => [[state], count])
    },
  )
  gauge(
    {
      name: "kubelet_desired_pods",
      help: "The number of pods the kubelet is being instructed to run. static is true if the pod is not from the apiserver.",
      labels: ["static"],
    },
    () => [[[""], workers.pods().length]],
  )
  gauge(
    {
      name: "kubernetes_build_info",
      help: "A metric with a constant '1' value labeled by major, minor, git version, git commit, git tree state, build date, Go version, and compiler from which Kubernetes was built, and platform on which it is running.",
      labels: ["git_version"],
      stability: "BETA",
    },
    () => [[[version], 1]],
  )
}
