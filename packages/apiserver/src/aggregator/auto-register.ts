/**
 * APIServices of what this server answers for by itself: those of built-in groups are set right once, when it starts;
 * those of custom resources come and go with their definitions.
 * Mirrors: kube-aggregator pkg/controllers/autoregister, kubernetes pkg/controlplane/controller/crdregistration
 */
import { apiService, customResourceDefinition, type APIService, type Creatable } from "@knarr/api"
import { deepClone, isAlreadyExists, isConflict, isNotFound } from "@knarr/apimachinery"
import { messageOf, type Env, type Scope } from "@knarr/base"
import { createWorkQueue, type Client } from "@knarr/client"
import type { Registry } from "../registry/registry.ts"

export interface AutoRegisterOptions {
  readonly env: Env
  readonly registry: Registry
  /** Acts as the server itself. */
  readonly client: Client
  /** Those of built-in groups. */
  readonly builtIn: readonly Creatable<APIService>[]
  /** Those that stand back where somebody names a service for them. */
  readonly hosted: readonly Creatable<APIService>[]
}

const managedLabel = "kube-aggregator.kubernetes.io/automanaged"
const onStart = "onstart"
const always = "true"
/** The labels of what comes again when it is deleted. */
export const alwaysManaged: Readonly<Record<string, string>> = Object.freeze({ [managedLabel]: always })
/** Custom resources stand behind built-in ones, and their versions are told apart by their names. */
const customPriority = { groupPriorityMinimum: 1000, versionPriority: 100 }

export type Step = "create" | "update" | "delete" | undefined

interface ServiceState {
  /** It was right once since the server started. */
  readonly synced: boolean
  readonly presentAtStart: boolean
  /** Another server may take its place. */
  readonly yields: boolean
}

/** What is to be done about one APIService. */
export function nextStep(
  desired: Creatable<APIService> | undefined,
  current: Readonly<APIService> | undefined,
  { synced, presentAtStart, yields }: ServiceState,
): Step {
  if (!desired && !current) return undefined
  if (managementOf(desired) === onStart && synced) return undefined
  if (!current) return "create"
  if (yields && current.spec.service) return undefined
  const management = managementOf(current)
  if (management === "") return undefined
  if (management === onStart && (!presentAtStart || synced)) return undefined
  if (!desired) return "delete"
  return isSameSpec(current, desired) ? undefined : "update"
}

function managementOf(object: Readonly<APIService> | Creatable<APIService> | undefined): string {
  const said = object?.metadata.labels?.[managedLabel] ?? ""
  return said === onStart || said === always ? said : ""
}

/** Of local ones: what is set for other servers makes them different. */
function isSameSpec({ spec }: Readonly<APIService>, { spec: wanted }: Creatable<APIService>): boolean {
  return (
    !spec.service &&
    spec.group === wanted.group &&
    spec.version === wanted.version &&
    spec.groupPriorityMinimum === wanted.groupPriorityMinimum &&
    spec.versionPriority === wanted.versionPriority
  )
}

/** Keeps them until the scope closes; the built-in ones are right when it resolves. */
export async function autoRegister(options: AutoRegisterOptions, scope: Scope): Promise<void> {
  const { env, registry, client } = options
  const atStart = new Set(registry.list(apiService).map(({ metadata }) => metadata.name))
  const named = (object: Creatable<APIService>): [string, Creatable<APIService>] => [
    object.metadata.name!,
    object,
  ]
  const hosted = new Map(options.hosted.map(named))
  const builtIn = new Map([...options.builtIn.map(named), ...hosted])
  const synced = new Set<string>()
  const desiredOf = (name: string): Creatable<APIService> | undefined =>
    builtIn.get(name) ?? (isCustom(registry, name) ? customService(name) : undefined)
  const sync = async (name: string, signal: AbortSignal): Promise<void> => {
    const desired = desiredOf(name)
    const current = registry.get(apiService, { name })
    const state = { synced: synced.has(name), presentAtStart: atStart.has(name), yields: hosted.has(name) }
    const step = nextStep(desired, current, state)
    try {
      if (step === "create") await client.create(apiService, desired!, { signal })
      else if (step === "delete")
        await client.delete(apiService, { name }, { preconditions: { uid: current!.metadata.uid }, signal })
      else if (step === "update") {
        const next = { ...deepClone(current!), spec: deepClone(desired!.spec) } as APIService
        await client.update(apiService, next, { signal })
      }
    } catch (thrown) {
      // Somebody else changed it meanwhile: that wakes us again.
      if (!isAlreadyExists(thrown) && !isNotFound(thrown) && !isConflict(thrown)) throw thrown
    }
    synced.add(name)
  }

  await Promise.all([...builtIn.keys()].map((name) => sync(name, scope.signal)))
  const queue = scope.use(createWorkQueue(env, "autoregister"))
  scope.use(
    registry.onChange(apiService, (objects) => {
      for (const { name } of objects) queue.add(name)
    }),
  )
  const known = new Map<string, readonly string[]>()
  const follow = (definition: string): void => {
    const crd = registry.get(customResourceDefinition, { name: definition })
    const names = crd?.spec.versions.map(({ name }) => `${name}.${crd.spec.group}`) ?? []
    for (const name of [...(known.get(definition) ?? []), ...names]) queue.add(name)
    if (names.length === 0) known.delete(definition)
    else known.set(definition, names)
  }
  if (registry.serves(customResourceDefinition)) {
    scope.use(
      registry.onChange(customResourceDefinition, (objects) => {
        for (const { name } of objects) follow(name)
      }),
    )
    for (const { metadata } of registry.list(customResourceDefinition)) follow(metadata.name)
  }
  for (const name of atStart) queue.add(name)
  scope.run(
    "autoregister",
    async (signal) => {
      for (;;) {
        const name = await queue.get(signal)
        try {
          await sync(name, signal)
          queue.forget(name)
        } catch (thrown) {
          if (signal.aborted) throw thrown
          env.log.warn("An API service cannot be kept", { name, err: messageOf(thrown) })
          queue.addRateLimited(name)
        } finally {
          queue.done(name)
        }
      }
    },
    { restart: true },
  )
}

function isCustom(registry: Registry, name: string): boolean {
  if (!registry.serves(customResourceDefinition)) return false
  const { group, version } = groupVersionOf(name)
  return registry
    .list(customResourceDefinition)
    .some(
      ({ spec }) => spec.group === group && spec.versions.some((one) => one.name === version && one.served),
    )
}

function customService(name: string): Creatable<APIService> {
  return {
    metadata: { name, labels: alwaysManaged },
    spec: { ...groupVersionOf(name), ...customPriority },
  }
}

/** `<version>.<group>`. */
function groupVersionOf(name: string): { readonly group: string; readonly version: string } {
  const dot = name.indexOf(".")
  return { version: name.slice(0, dot), group: name.slice(dot + 1) }
}
