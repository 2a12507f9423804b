/** A control plane, and what tests of the kubelet ask of it: pods bound to the node `n1`. */
import { event as eventKind, pod as podKind, type Pod } from "@knarr/api"
import { createLogger, silentLogger, systemClock, type Logger, type VirtualClock } from "@knarr/base"
import type { Client } from "@knarr/client"
import {
  startControlPlane,
  type SimulatedNode,
  type SimulatedNodeOptions,
  type TestControlPlane,
} from "knarr/testing"

export const nodeName = "n1"

/** Shown when `KNARR_TEST_LOG` is set. */
export const testLog: Logger = process.env["KNARR_TEST_LOG"]
  ? createLogger({ clock: systemClock, level: "debug", write: (line) => void process.stderr.write(line) })
  : silentLogger

/** The pods in the namespace `default`, as the API server has them. */
export class PodApi {
  readonly #cluster: TestControlPlane

  constructor(cluster: TestControlPlane) {
    this.#cluster = cluster
  }

  pod(name: string): Readonly<Pod> | undefined {
    return this.#cluster.plane.registry.get(podKind, ref(name))
  }

  isReady(name: string): boolean {
    return this.pod(name)?.status.conditions?.find(({ type }) => type === "Ready")?.status === "True"
  }

  /** `reason: message` of every Event about the object. */
  eventsOf(name: string): string[] {
    return this.#cluster.plane.registry
      .list(eventKind, "default")
      .filter(({ involvedObject }) => involvedObject.name === name)
      .map(({ reason, message }) => `${reason}: ${message}`)
  }

  /** A pod as the scheduler leaves it. */
  createPod(name: string, spec: Partial<Pod["spec"]>): Promise<Pod> {
    return this.#cluster.client.create(podKind, {
      metadata: { namespace: "default", name },
      spec: { nodeName, containers: [], ...spec },
    })
  }

  async patchPod(name: string, spec: object, subresource?: string): Promise<void> {
    const options = subresource === undefined ? {} : { subresource }
    await this.#cluster.client.patch(podKind, ref(name), "strategic", { spec }, options)
  }

  async deletePod(name: string, gracePeriodSeconds?: number): Promise<void> {
    const options = gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }
    await this.#cluster.client.delete(podKind, ref(name), options)
  }
}

export interface SimulatedWorld extends AsyncDisposable {
  readonly api: PodApi
  readonly node: SimulatedNode
  readonly clock: VirtualClock
  /** Lets the cluster run until `done` holds; default limit: ten virtual minutes. */
  until(done: () => boolean, limitMs?: number): Promise<void>
}

/** A whole cluster on a virtual clock, with one simulated node, whose containers do what `options` say. */
export async function startSimulatedWorld(
  options: Omit<SimulatedNodeOptions, "name"> = {},
): Promise<SimulatedWorld> {
  const cluster = await startControlPlane({ seed: 1, log: testLog, nodes: [{ ...options, name: nodeName }] })
  const clock = cluster.clock!
  return {
    ...{ api: new PodApi(cluster), node: cluster.nodes[0]!, clock },
    until: (done, limitMs = 600_000) =>
      clock.runUntil(done, { limitMs, what: "the state that the test waits for" }),
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  }
}

/** What the kubelet of the node may do. */
export function nodeClient(cluster: TestControlPlane): Client {
  return cluster.plane.client({
    name: `system:node:${nodeName}`,
    groups: ["system:nodes", "system:authenticated"],
  })
}

function ref(name: string): { namespace: string; name: string } {
  return { namespace: "default", name }
}
