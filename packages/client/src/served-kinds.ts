/**
 * The kinds that the API serves, followed as they come and go: one source for whoever works on all kinds (garbage
 * collector, namespaces, quota). Discovery says what there is; events of definitions and API services are only a hint
 * to ask again.
 * Mirrors: client-go discovery/helper.go, garbagecollector.go (Sync, GetDeletableResources)
 */
import { apiService, customResourceDefinition, kinds as builtIn } from "@knarr/api"
import { defineKind, schemaOf, type Field, type Kind, type Schema } from "@knarr/apimachinery"
import { abortable, deferred, type Env, type Scope } from "@knarr/base"
import type { Client } from "./client.ts"
import { groupVersion, type ServedResource, type ServedVersion } from "./discovery.ts"
import type { InformerFactory } from "./informer.ts"

export interface ServedKindsHandler {
  added?(kind: Kind): void
  /** Nobody serves it any more, in any version. A group that does not answer removes nothing. */
  removed?(kind: Kind): void
}

export interface ServedKinds {
  /** One kind for each resource: in the version that the server prefers, or stores. */
  list(): readonly Kind[]
  /** The kind in this very version, or else in the version of {@link list}. */
  find(apiVersion: string, kind: string): Kind | undefined
  /** Versions of groups that could not be asked the last time, with why. */
  failures(): ReadonlyMap<string, string>
  /** Handlers run synchronously. What there is already is told as added. */
  subscribe(handler: ServedKindsHandler): Disposable
  /** Asks the server now. Rejects when it does not answer; then everything is as before. */
  refresh(signal: AbortSignal): Promise<void>
  /** Resolves when the server has been asked once. */
  waitForSync(signal: AbortSignal): Promise<void>
}

export interface ServedKindsOptions {
  readonly client: Client
  readonly informers: InformerFactory
  readonly env: Env
  /** It asks as long as this lasts. */
  readonly scope: Scope
}

/** How often the server is asked at the least, as upstream. */
const askAgainMs = 30_000
/** After a hint: soon, and once more after the last one, for a server that takes its time to do what it is told. */
const soonMs = 100
const laterMs = 2000

export function createServedKinds(options: ServedKindsOptions): ServedKinds {
  return new Follower(options)
}

class Follower implements ServedKinds {
  readonly #options: ServedKindsOptions
  readonly #handlers = new Set<ServedKindsHandler>()
  readonly #sync = deferred()
  /** Every version, by kind id. */
  #versions: ReadonlyMap<string, Kind> = new Map()
  /** One for each resource, by {@link resourceKey}. */
  #resources: ReadonlyMap<string, Kind> = new Map()
  #byKindName: ReadonlyMap<string, Kind> = new Map()
  #known: readonly ServedVersion[] = []
  #failures: ReadonlyMap<string, string> = new Map()
  #asking: Promise<void> | undefined

  constructor(options: ServedKindsOptions) {
    this.#options = options
    const { informers, scope, env } = options
    let soon: Disposable | undefined
    let later: Disposable | undefined
    const ask = (): void => scope.run("hint", (signal) => this.#ask(signal), { contained: true })
    const hint = (): void => {
      soon ??= env.clock.timer(soonMs, () => {
        soon = undefined
        ask()
      })
      later?.[Symbol.dispose]()
      later = env.clock.timer(laterMs, ask)
    }
    for (const kind of [customResourceDefinition, apiService] as readonly Kind[])
      scope.use(informers.informer(kind).subscribe({ added: hint, updated: hint, deleted: hint }))
    scope.defer(() => {
      soon?.[Symbol.dispose]()
      later?.[Symbol.dispose]()
    })
    scope.run(
      "discovery",
      async (signal) => {
        for (;;) {
          await this.#ask(signal)
          await env.clock.sleep(askAgainMs, signal)
        }
      },
      { restart: { firstMs: 1000, maxMs: askAgainMs } },
    )
  }

  list(): readonly Kind[] {
    return [...this.#resources.values()]
  }

  find(apiVersion: string, kind: string): Kind | undefined {
    return (
      this.#versions.get(`${apiVersion}/${kind}`) ?? this.#byKindName.get(`${groupOf(apiVersion)}/${kind}`)
    )
  }

  failures(): ReadonlyMap<string, string> {
    return this.#failures
  }

  subscribe(handler: ServedKindsHandler): Disposable {
    this.#handlers.add(handler)
    for (const kind of this.#resources.values()) this.#call(() => handler.added?.(kind))
    return { [Symbol.dispose]: () => void this.#handlers.delete(handler) }
  }

  refresh(signal: AbortSignal): Promise<void> {
    return this.#ask(signal)
  }

  waitForSync(signal: AbortSignal): Promise<void> {
    return abortable(this.#sync.promise, signal)
  }

  /** One question at a time; whoever asks while it is under way gets the next. */
  async #ask(signal: AbortSignal): Promise<void> {
    await this.#asking?.catch(() => {})
    if (!this.#asking) {
      const { client, scope } = this.#options
      const asking = client
        .discover({ signal: scope.signal })
        .then((served) => this.#take(served))
        .finally(() => (this.#asking = undefined))
      // Whoever waits hears of it, if somebody does.
      asking.catch(() => {})
      this.#asking = asking
    }
    await abortable(this.#asking, signal)
  }

  #take(served: readonly ServedVersion[]): void {
    // An answer without any kind is no answer: a server always serves some.
    if (!served.some(({ resources }) => resources.length > 0)) return
    const failures = new Map<string, string>()
    for (const { group, version, failure } of served)
      if (failure !== undefined) failures.set(groupVersion(group, version), failure)
    this.#failures = failures
    this.#known = served.map((one) => this.#withWhatWasKnown(one))
    const before = this.#resources
    this.#index()
    for (const [key, kind] of this.#resources) if (before.get(key) !== kind) this.#tell("added", kind)
    for (const [key, kind] of before) if (this.#resources.get(key) !== kind) this.#tell("removed", kind)
    this.#sync.resolve()
  }

  /** What does not answer serves what it did. */
  #withWhatWasKnown(served: ServedVersion): ServedVersion {
    if (served.failure === undefined) return served
    const known = this.#known.find(
      ({ group, version }) => group === served.group && version === served.version,
    )
    const names = new Set(served.resources.map(({ plural }) => plural))
    const missing = known?.resources.filter(({ plural }) => !names.has(plural)) ?? []
    return missing.length === 0 ? served : { ...served, resources: [...served.resources, ...missing] }
  }

  #index(): void {
    const versions = new Map<string, Kind>()
    const resources = new Map<string, Kind>()
    const byKindName = new Map<string, Kind>()
    for (const { group, version, resources: all } of this.#known) {
      for (const resource of all) {
        const id = `${groupVersion(group, version)}/${resource.kind}`
        const known = this.#versions.get(id)
        const kind = known && saysTheSame(known, resource) ? known : kindOf(group, version, resource)
        versions.set(id, kind)
        const key = resourceKey(kind)
        // Stored in another version, which is served as well: that one stands for both.
        const present = resources.get(key)
        if (present && !(present.storedAs && !kind.storedAs)) continue
        resources.set(key, kind)
        byKindName.set(`${group}/${kind.kind}`, kind)
      }
    }
    // The same objects under two groups, as events have, are one resource.
    for (const [key, kind] of resources) {
      const stored = kind.storedAs?.()
      if (stored && resources.has(resourceKey(stored))) resources.delete(key)
    }
    this.#versions = versions
    this.#resources = resources
    this.#byKindName = byKindName
  }

  #tell(what: keyof ServedKindsHandler, kind: Kind): void {
    for (const handler of this.#handlers) this.#call(() => handler[what]?.(kind))
  }

  /** The failure of one handler is not the others'. */
  #call(fn: () => void): void {
    try {
      fn()
    } catch (thrown) {
      this.#options.env.log.error("A follower of the served kinds failed", thrown)
    }
  }
}

function resourceKey({ group, plural }: Pick<Kind, "group" | "plural">): string {
  return `${group}/${plural}`
}

function groupOf(apiVersion: string): string {
  const at = apiVersion.indexOf("/")
  return at < 0 ? "" : apiVersion.slice(0, at)
}

const declared: ReadonlyMap<string, Kind> = new Map(builtIn.map((kind) => [kind.id, kind]))

function saysTheSame(kind: Kind, { plural, namespaced, verbs, subresources }: ServedResource): boolean {
  return (
    declared.get(kind.id) === kind ||
    (kind.plural === plural &&
      kind.namespaced === namespaced &&
      kind.subresources.has("scale") === subresources.includes("scale") &&
      kind.verbs.length === verbs.length &&
      kind.verbs.every((verb) => verbs.includes(verb)))
  )
}

/** The declared kind, or for one that is not known here a kind of which only the metadata is. */
function kindOf(group: string, version: string, resource: ServedResource): Kind {
  const known = declared.get(`${groupVersion(group, version)}/${resource.kind}`)
  if (known && known.plural === resource.plural) return known
  const { plural, kind, namespaced, verbs, singular, shortNames, categories } = resource
  const subresources = (["status", "scale"] as const).filter((name) => resource.subresources.includes(name))
  return defineKind({
    group,
    version,
    kind,
    plural,
    namespaced,
    verbs,
    singular: singular || kind.toLowerCase(),
    shortNames,
    categories,
    subresources,
    rules: "structural",
    schema: metadataOnly(),
  })
}

function metadataOnly(): Schema {
  const text: Schema = { type: "string" }
  const field = (name: string, schema: Schema): [string, Field] => [name, { name, schema, required: false }]
  return {
    type: "object",
    preserveUnknown: true,
    fields: new Map([
      field("apiVersion", text),
      field("kind", text),
      field("metadata", schemaOf("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")),
    ]),
  }
}
