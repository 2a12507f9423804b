/** What a scenario's events do to the cluster. */
import type { Kind } from "@knarr/apimachinery"
import { formatGoDuration } from "@knarr/apimachinery"
import { createServedKinds, type ServedKinds } from "@knarr/client"
import type { SimulatedNode } from "../simulated-nodes.ts"
import type { VirtualControlPlane } from "../test-control-plane.ts"
import { builtInKind, listTargets, refOf } from "./expectations.ts"
import { ScenarioError } from "./fields.ts"
import type { Action, Manifest, ManifestObject, Target } from "./scenario.ts"

const applied = { fieldManager: "knarr-simulate", force: true }
const servedLimitMs = 60_000

export class ScenarioActions {
  readonly #cluster: VirtualControlPlane
  /** Only for kinds that are not built in: it asks the server again and again. */
  #served: ServedKinds | undefined

  constructor(cluster: VirtualControlPlane) {
    this.#cluster = cluster
  }

  describe(action: Action): string {
    switch (action.do) {
      case "loseNode":
        return `node ${action.node} is lost`
      case "returnNode":
        return `node ${action.node} is back`
      case "apply":
        return `apply ${action.manifests.map((one) => (typeof one === "string" ? one : nameOf(one))).join(", ")}`
      case "delete":
        return `delete ${targetText(action.target)}`
      case "scale":
        return `scale ${targetText(action.target)} to ${action.replicas}`
      case "patch":
        return `patch ${targetText(action.target)}`
      case "load":
        return `load ${targetText(action.target)}`
      case "clockJump":
        return `the clock is set by ${formatGoDuration(action.byMs)}`
      case "restartControllers":
        return "the controllers are killed and start again"
    }
  }

  async perform(action: Action): Promise<void> {
    const { client, clock, plane } = this.#cluster
    switch (action.do) {
      case "loseNode":
        return this.#node(action.node).stop()
      case "returnNode":
        return this.#node(action.node).start()
      case "apply":
        for (const one of action.manifests) await this.#apply(one)
        return
      case "delete":
        for (const { kind, ref } of this.#targets(action.target)) await client.delete(kind, ref)
        return
      case "scale": {
        const body = { spec: { replicas: action.replicas } }
        for (const { kind, ref } of this.#targets(action.target)) await client.patch(kind, ref, "merge", body)
        return
      }
      case "patch":
        for (const { kind, ref } of this.#targets(action.target))
          await client.patch(kind, ref, "strategic", action.patch)
        return
      case "load": {
        const kind = builtInKind("Pod")!
        const pods = listTargets(action.target, kind, plane.registry)
        if (pods.length === 0) throw new Error(`there is no ${targetText(action.target)}`)
        for (const { metadata } of pods) this.#load(metadata.uid, action)
        return
      }
      case "clockJump":
        return clock.jump(action.byMs)
      case "restartControllers":
        return this.#cluster.restartControllers()
    }
  }

  #node(name: string): SimulatedNode {
    const found = this.#cluster.nodes.find((one) => one.name === name)
    if (!found) throw new ScenarioError("", `there is no node "${name}"`)
    return found
  }

  #targets(target: Target): { readonly kind: Kind; readonly ref: { namespace?: string; name: string } }[] {
    const kind = builtInKind(target.kind)
    if (!kind) throw new Error(`there is no kind "${target.kind}"`)
    const found = listTargets(target, kind, this.#cluster.plane.registry)
    if (found.length === 0) throw new Error(`there is no ${targetText(target)}`)
    return found.map(({ metadata }) => ({ kind, ref: refOf({ ...target, name: metadata.name }, kind) }))
  }

  async #apply(manifest: Manifest): Promise<void> {
    const { client } = this.#cluster
    const obj = manifest as ManifestObject
    const { apiVersion, kind: kindName, metadata } = obj
    const kind = builtInKind(kindName, apiVersion) ?? (await this.#findServed(apiVersion, kindName))
    const namespace = kind.namespaced ? (metadata.namespace ?? "default") : undefined
    const body = { ...obj, metadata: { ...metadata, ...(namespace ? { namespace } : {}) } }
    if (metadata.name === undefined) {
      await client.create(kind, body as never)
      return
    }
    const ref = { name: metadata.name, ...(namespace ? { namespace } : {}) }
    await client.patch(kind, ref, "apply", body, applied)
  }

  /** A definition that was applied a moment ago is served a moment later. */
  async #findServed(apiVersion: string, name: string): Promise<Kind> {
    const { client, informers, env, scope, clock } = this.#cluster
    const served = (this.#served ??= createServedKinds({
      ...{ client, informers, env },
      scope: scope.child("served kinds"),
    }))
    const find = (): boolean => served.find(apiVersion, name) !== undefined
    try {
      await clock.runUntil(find, { what: "the kind", limitMs: servedLimitMs })
    } catch {
      throw new Error(`the API has no kind "${name}" in "${apiVersion}"`)
    }
    return served.find(apiVersion, name)!
  }

  /** What a pod's containers use from now on; past its limit of memory a container is killed. */
  #load(podUid: string, { cpuNanoCores, memoryBytes }: Extract<Action, { do: "load" }>): void {
    for (const { host } of this.#cluster.nodes)
      for (const container of host.containers.values()) {
        if (container.sandbox.config.metadata?.uid !== podUid || container.state !== "CONTAINER_RUNNING")
          continue
        container.behaviour = {
          ...container.behaviour,
          ...(cpuNanoCores === undefined ? {} : { cpuNanoCores }),
          ...(memoryBytes === undefined ? {} : { memoryBytes }),
        }
        const limit = container.config.linux?.resources?.memoryLimitInBytes ?? 0
        if (limit > 0 && (memoryBytes ?? 0) > limit) host.oomKill(container)
      }
  }
}

function nameOf({ kind, metadata }: ManifestObject): string {
  return `${kind} ${metadata.namespace ?? "default"}/${metadata.name ?? `${metadata.generateName}*`}`
}

function targetText({ kind, namespace, name, selector }: Target): string {
  return `${kind} ${namespace}/${name ?? (selector === undefined ? "*" : `(${selector})`)}`
}
