/** When the change that endpoints follow happened, for latency measurements. Mirrors: staging endpointslice/util/trigger_time_tracker.go */
import type { Pod, Service } from "@knarr/api"
import { podCondition } from "../workload/pod-state.ts"

interface Known {
  service: string
  pods: Map<string, string>
}

export class TriggerTimes {
  readonly #known = new Map<string, Known>()

  /** The earliest change since the last call for the service, as RFC 3339; undefined when nothing changed. */
  next(key: string, service: Service, pods: readonly Pod[]): string | undefined {
    const known = this.#known.get(key)
    const podTimes = new Map<string, string>()
    let least: string | undefined
    const consider = (time: string): void => {
      if (time !== "" && (least === undefined || time < least)) least = time
    }
    for (const pod of pods) {
      const time = podCondition(pod, "Ready")?.lastTransitionTime ?? ""
      podTimes.set(pod.metadata.name, time)
      const before = known?.pods.get(pod.metadata.name)
      if (before === undefined || time > before) consider(time)
    }
    const created = service.metadata.creationTimestamp ?? ""
    if (!known || created > known.service) consider(created)
    this.#known.set(key, { service: created, pods: podTimes })
    return least
  }

  delete(key: string): void {
    this.#known.delete(key)
  }
}
