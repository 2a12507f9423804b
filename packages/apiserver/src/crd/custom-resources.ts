/**
 * Serves what CustomResourceDefinitions define: follows the definitions, tells their status, and adds their resources to the
 * registry, changes them and takes them away. One definition after the other, because their names depend on one another.
 * Mirrors: apiextensions pkg/apiserver/customresource_handler.go, pkg/controller/{status,establish,finalizer}
 */
import {
  customResourceDefinition,
  definitionCleanupFinalizer,
  withDefinitionCondition,
  type CustomResourceDefinition,
} from "@knarr/api"
import { deepClone, isConflict, isNotFound, type Kind } from "@knarr/apimachinery"
import { Backoff, messageOf, type Env, type Scope } from "@knarr/base"
import { createWorkQueue, type Client, type WorkQueue } from "@knarr/client"
import type { Registry } from "../registry/registry.ts"
import type { OutboundCall } from "../contract.ts"
import { customConverter } from "./custom-converter.ts"
import { createRuleTimes, type RuleTimes } from "./rule-times.ts"
import { customKind } from "./custom-kind.ts"
import { conditionOf, establishedStatus, isTrue, nextStatus } from "./definition-status.ts"

export interface CustomResourcesOptions {
  readonly env: Env
  readonly registry: Registry
  /** Acts as the server itself. */
  readonly client: Client
  /** Asks the webhooks that convert. */
  readonly call: OutboundCall
}

type Definition = Readonly<CustomResourceDefinition>

interface Served {
  /** What of the definition makes its kinds, as text. */
  readonly made: string
  readonly kinds: readonly Kind[]
}

const retry = { firstMs: 100, maxMs: 30_000 }
/** How often the objects of a definition that goes are counted. */
const countMs = 1000

export class CustomResources {
  readonly #options: CustomResourcesOptions
  readonly #served = new Map<string, Served>()
  readonly #times: RuleTimes
  readonly #queue: WorkQueue & Disposable
  /** Of definitions that failed. */
  readonly #backoffs = new Map<string, Backoff>()
  /** `group/version` and `resource.group` of what the server serves by itself: definitions do not take its place. */
  readonly #builtIn: ReadonlySet<string>

  constructor(options: CustomResourcesOptions) {
    this.#options = options
    this.#times = createRuleTimes(options.env)
    this.#queue = createWorkQueue(options.env, "custom_resources")
    const { kinds } = options.registry
    this.#builtIn = new Set(
      kinds.flatMap(({ group, version, plural }) => [`${group}/${version}`, `${plural}.${group}`]),
    )
  }

  /**
   * Serves the definitions that are there, and follows them from then on, until the scope closes. One that cannot be served
   * is tried again later: it does not keep the server from starting.
   */
  async start(scope: Scope): Promise<void> {
    const { env, registry } = this.#options
    for (const crd of registry.list(customResourceDefinition)) {
      try {
        await this.#serve(crd)
      } catch (thrown) {
        env.log.warn("A custom resource cannot be served", {
          name: crd.metadata.name,
          err: messageOf(thrown),
        })
      }
    }
    scope.use(this.#queue)
    scope.use(
      registry.onChange(customResourceDefinition, (objects) => {
        for (const { name } of objects) this.#queue.add(name)
      }),
    )
    for (const crd of registry.list(customResourceDefinition)) this.#queue.add(crd.metadata.name)
    scope.run("custom resources", (signal) => this.#work(signal), { restart: true })
  }

  async #work(signal: AbortSignal): Promise<void> {
    for (;;) {
      const name = await this.#queue.get(signal)
      try {
        await this.#sync(name, signal)
        this.#backoffs.delete(name)
      } catch (thrown) {
        if (signal.aborted) throw thrown
        if (!isConflict(thrown) && !isNotFound(thrown))
          this.#options.env.log.warn("A custom resource cannot be served as it should", {
            name,
            err: messageOf(thrown),
          })
        const backoff = this.#backoffs.get(name) ?? new Backoff(retry)
        this.#backoffs.set(name, backoff)
        this.#queue.addAfter(name, backoff.next())
      } finally {
        this.#queue.done(name)
      }
    }
  }

  async #sync(name: string, signal: AbortSignal): Promise<void> {
    const { env, registry } = this.#options
    const crd = registry.get(customResourceDefinition, { name })
    if (!crd) {
      this.#remove(name)
      // The names that it had may be what others wait for.
      const group = name.slice(name.indexOf(".") + 1)
      for (const other of registry.list(customResourceDefinition))
        if (other.spec.group === group && !isTrue(other, "NamesAccepted"))
          this.#queue.add(other.metadata.name)
      return
    }
    if (crd.metadata.deletionTimestamp) return this.#end(crd, signal)
    const others = registry.list(customResourceDefinition).filter((one) => one.metadata.name !== name)
    const next = nextStatus(crd, others, env.clock.now())
    if (next) return this.#setStatus(crd, next, signal)
    await this.#serve(crd)
    const established = establishedStatus(crd, env.clock.now())
    if (established) await this.#setStatus(crd, established, signal)
  }

  async #setStatus(
    crd: Definition,
    status: NonNullable<CustomResourceDefinition["status"]>,
    signal: AbortSignal,
  ): Promise<void> {
    const { client } = this.#options
    await client.update(customResourceDefinition, { ...deepClone(crd), status } as CustomResourceDefinition, {
      subresource: "status",
      signal,
    })
  }

  /**
   * Adds the resource when its names are accepted, or makes it anew when the definition has changed. What is built in stays
   * as it is, in whatever version; groups with versions of the server's own may have others. A definition that goes
   * (`ends`) has the version that its objects are stored in, by which they are deleted.
   */
  async #serve(crd: Definition, ends = false): Promise<void> {
    const { registry } = this.#options
    const { name } = crd.metadata
    if (!isTrue(crd, "NamesAccepted") && !isTrue(crd, "Established")) return
    const { group, versions: all } = crd.spec
    const isServed = all.some((one) => one.served)
    const served = this.#builtIn.has(name)
      ? []
      : all.filter(
          (one) =>
            (one.served || (ends && !isServed && one.storage)) && !this.#builtIn.has(`${group}/${one.name}`),
        )
    const made = JSON.stringify([crd.spec, crd.status?.acceptedNames, crd.metadata.uid, served.length])
    const present = this.#served.get(name)
    if (present?.made === made) return
    this.#remove(name)
    if (served.length === 0) return
    const kinds = new Map(
      crd.spec.versions.map((version) => [version.name, customKind(crd, version.name, this.#times)]),
    )
    const stored = kinds.get(crd.spec.versions.find(({ storage }) => storage)!.name)!
    const versions = served.map(({ name: version }) => kinds.get(version)!)
    const former = [...kinds.values()].filter((kind) => !versions.includes(kind) && kind !== stored)
    const { call, env } = this.#options
    const converter = customConverter(crd, { call, random: env.random })
    await registry.addResource({ versions, stored, former, converter })
    this.#served.set(name, { made, kinds: versions })
  }

  #remove(name: string): void {
    const served = this.#served.get(name)
    if (!served) return
    this.#served.delete(name)
    for (const kind of served.kinds) this.#options.registry.removeKind(kind)
  }

  /** Deletes the objects of a definition that is to go, and lets it go when there are none left. */
  async #end(crd: Definition, signal: AbortSignal): Promise<void> {
    const { env, client } = this.#options
    if (!crd.metadata.finalizers?.includes(definitionCleanupFinalizer)) return
    const set = async (
      from: Definition,
      status: "True" | "False",
      reason: string,
      message: string,
      done = false,
    ): Promise<CustomResourceDefinition> => {
      const next = deepClone(from) as CustomResourceDefinition
      const condition = { type: "Terminating", status, reason, message }
      next.status = withDefinitionCondition(next.status ?? {}, condition, env.clock.now())
      if (done)
        next.metadata.finalizers =
          next.metadata.finalizers?.filter((one) => one !== definitionCleanupFinalizer) ?? []
      return client.update(customResourceDefinition, next, { subresource: "status", signal })
    }
    await this.#serve(crd, true)
    const kinds = this.#served.get(crd.metadata.name)?.kinds ?? []
    const storage = crd.spec.versions.find((version) => version.storage)!.name
    const kind = kinds.find(({ version }) => version === storage) ?? kinds[0]
    if (!isTrue(crd, "Established")) {
      await set(crd, "False", "NeverEstablished", "resource was never established", true)
      return
    }
    if (!kind) {
      await set(crd, "False", "InstanceDeletionCompleted", "removed all instances", true)
      return
    }
    // One that failed is tried again after a pause: to say first that it begins anew would be a change that ends the pause.
    const reason = conditionOf(crd, "Terminating")?.reason
    const begin = (): Promise<CustomResourceDefinition> =>
      set(crd, "True", "InstanceDeletionInProgress", "CustomResource deletion is in progress")
    const hasFailed = reason === "InstanceDeletionFailed"
    const begun = hasFailed || reason === "InstanceDeletionInProgress" ? crd : await begin()
    const step = async (what: string, run: () => Promise<unknown>): Promise<void> => {
      try {
        await run()
      } catch (thrown) {
        await set(begun, "True", "InstanceDeletionFailed", `could not ${what}: ${messageOf(thrown)}`)
        throw thrown
      }
    }
    // As upstream: what cannot be read as it is to be stored is not deleted, and keeps its definition.
    const { cache } = this.#options.registry.storage(kind)
    await step("list instances", async () => {
      if (cache.unreadable > 0) throw new Error(`${cache.unreadable} in the store cannot be read`)
      if (crd.spec.conversion?.strategy === "Webhook") await client.list(kind, { signal })
    })
    await step("issue all deletes", () => client.deleteCollection(kind, {}, { signal }))
    if (cache.size > 0) {
      if (hasFailed) await begin()
      this.#queue.addAfter(crd.metadata.name, countMs)
      return
    }
    this.#remove(crd.metadata.name)
    await set(begun, "False", "InstanceDeletionCompleted", "removed all instances", true)
  }
}
