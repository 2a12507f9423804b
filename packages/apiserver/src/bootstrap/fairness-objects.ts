/**
 * Keeps the objects of fairness: those that every cluster has are there and as they should be, unless who runs the cluster has
 * taken them over, and each FlowSchema says whether its priority level exists.
 * Mirrors: pkg/registry/flowcontrol/{ensurer,rest}, apiserver pkg/util/flowcontrol/apf_controller.go
 */
import {
  flowSchema,
  mandatoryFlowSchemas,
  mandatoryPriorityLevels,
  priorityLevelConfiguration,
} from "@knarr/api"
import type { flowcontrolV1 } from "@knarr/api"
import {
  deepClone,
  formatTime,
  isNotFound,
  semanticEqual,
  type Kind,
  type KubeObject,
} from "@knarr/apimachinery"
import { deferred, type Env, type Scope } from "@knarr/base"
import type { Client } from "@knarr/client"
import type { Registry } from "../registry/registry.ts"
import { objectsOf } from "./bootstrap.ts"

export interface FairnessObjectsDeps {
  readonly env: Env
  readonly registry: Registry
  readonly client: Client
  readonly scope: Scope
}

/** "true": the server keeps the object's spec; "false": it is somebody's own. */
const autoUpdate = "apf.kubernetes.io/autoupdate-spec"
const producer = "api-priority-and-fairness-config-producer-v1"
const consumer = "api-priority-and-fairness-config-consumer-v1"
/** Between one look at the objects and the next, at the least. */
const pauseMs = 1000

type Object = KubeObject & { spec?: Record<string, unknown> }

/** Resolves when they have been looked at once; goes on when they change. Ends with the scope. */
export async function keepFairnessObjects(deps: FairnessObjectsDeps): Promise<void> {
  const { env, registry, scope } = deps
  let changed = deferred()
  for (const kind of [flowSchema, priorityLevelConfiguration])
    scope.use(registry.onChange(kind, () => changed.resolve()))
  const look = async (signal: AbortSignal): Promise<void> => {
    await ensureAll(deps, priorityLevelConfiguration, new Set(Object.keys(mandatoryPriorityLevels)), signal)
    await ensureAll(deps, flowSchema, new Set(Object.keys(mandatoryFlowSchemas)), signal)
    await tellDangling(deps, signal)
  }
  await look(scope.signal)
  scope.run(
    "objects of fairness",
    async (signal) => {
      signal.addEventListener("abort", () => changed.resolve(), { once: true })
      for (;;) {
        await changed.promise
        signal.throwIfAborted()
        changed = deferred()
        await look(signal)
        await env.clock.sleep(pauseMs, signal)
      }
    },
    { restart: true },
  )
}

async function ensureAll(
  { registry, client }: FairnessObjectsDeps,
  kind: Kind,
  mandatory: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<void> {
  const options = { signal, fieldManager: producer }
  const wanted = objectsOf(kind.plural, kind) as Object[]
  for (const object of wanted) {
    const { name } = object.metadata
    const present = registry.get(kind, { name }) as Readonly<Object> | undefined
    if (!present) {
      await client.create(kind, object as never, options)
      continue
    }
    const next = mandatory.has(name) ? mandated(present, object) : suggested(present, object)
    if (next) await client.update(kind, next as never, options)
  }
  // What was kept for a release before, and is not wanted any more.
  const names = new Set(wanted.map(({ metadata }) => metadata.name))
  for (const { metadata } of registry.list(kind))
    if (metadata.annotations?.[autoUpdate] === "true" && !names.has(metadata.name))
      await client.delete(kind, { name: metadata.name }, { signal }).catch((thrown: unknown) => {
        if (!isNotFound(thrown)) throw thrown
      })
}

/** The object as it must be; undefined when it is so. */
function mandated(present: Readonly<Object>, wanted: Object): Object | undefined {
  const exempt = present.spec?.["exempt"]
  const spec = wanted.spec?.["exempt"] && exempt ? { ...wanted.spec, exempt } : wanted.spec
  return withSpec(present, spec, "true")
}

/** As {@link mandated}, of an object that may be somebody's own: then it is left alone. */
function suggested(present: Readonly<Object>, wanted: Object): Object | undefined {
  const says = present.metadata.annotations?.[autoUpdate]
  // Who has changed it before it said anything has taken it over.
  const isOurs = says === "true" || (says !== "false" && (present.metadata.generation ?? 1) === 1)
  return withSpec(present, isOurs ? wanted.spec : present.spec, String(isOurs))
}

function withSpec(present: Readonly<Object>, spec: Object["spec"], says: string): Object | undefined {
  const isSaid = present.metadata.annotations?.[autoUpdate] === says
  if (isSaid && semanticEqual(present.spec, spec)) return undefined
  const next = deepClone(present) as Object
  next.metadata.annotations = { ...next.metadata.annotations, [autoUpdate]: says }
  if (spec) next.spec = spec
  return next
}

async function tellDangling(
  { env, registry, client }: FairnessObjectsDeps,
  signal: AbortSignal,
): Promise<void> {
  for (const object of registry.list(flowSchema) as readonly flowcontrolV1.FlowSchema[]) {
    const { name } = object.metadata
    const level = object.spec?.priorityLevelConfiguration.name ?? ""
    const exists = registry.get(priorityLevelConfiguration, { name: level }) !== undefined
    const said = object.status?.conditions?.find(({ type }) => type === "Dangling")
    const condition = {
      type: "Dangling",
      status: exists ? "False" : "True",
      reason: exists ? "Found" : "NotFound",
      message:
        `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)} ` +
        (exists ? "and it exists" : "but there is no such object"),
    }
    if (
      said?.status === condition.status &&
      said.reason === condition.reason &&
      said.message === condition.message
    )
      continue
    const { apiVersion, kind } = flowSchema
    const lastTransitionTime = formatTime(env.clock.now())
    const status = { conditions: [{ ...condition, lastTransitionTime }] }
    const patch = { apiVersion, kind, metadata: { name }, status }
    const options = { subresource: "status", fieldManager: consumer, force: true, signal }
    await client.patch(flowSchema, { name }, "apply", patch, options).catch((thrown: unknown) => {
      if (!isNotFound(thrown)) throw thrown
    })
  }
}
