/** Who set which field, for server-side apply: `metadata.managedFields` of every write. */
import {
  applyConfig,
  badRequest,
  conversionError,
  DecodeError,
  decodeObject,
  equalButManagedTimes,
  FieldSet,
  formatTime,
  type Kind,
  type KubeObject,
  type ManagedFieldsContext,
  printEmpties,
  updateManagers,
  zeroValue,
} from "@knarr/apimachinery"
import { setObjectDefaults } from "./defaults.ts"

export { equalButManagedTimes }

const resets = new WeakMap<Kind, Map<string, FieldSet>>()

/** Fields that a write to this endpoint does not change and so cannot own. */
function resetFields(kind: Kind, subresource: string): FieldSet {
  let known = resets.get(kind)
  if (!known) resets.set(kind, (known = new Map()))
  let set = known.get(subresource)
  if (!set) {
    const fields: Record<string, object> = {}
    if (subresource === "status") {
      for (const name of kind.schema.fields?.keys() ?? []) {
        if (!["apiVersion", "kind", "metadata", "status"].includes(name)) fields[`f:${name}`] = {}
      }
      if (kind.rules === "structural") fields["f:metadata"] = {}
    } else if (kind.subresources.has("status")) fields["f:status"] = {}
    set = FieldSet.fromJSON(fields as never)
    known.set(subresource, set)
  }
  return set
}

function contextOf(kind: Kind, subresource: string, nowMs: number): ManagedFieldsContext {
  return {
    schema: kind.schema,
    apiVersion: kind.apiVersion,
    subresource,
    nowText: formatTime(nowMs),
    resetFields: resetFields(kind, subresource),
  }
}

/** What an object that is created is compared with: a new one of its type. */
function created(kind: Kind): Readonly<Record<string, unknown>> | undefined {
  return kind.rules === "structural" ? undefined : zeroValue(kind.schema)
}

/** What Go prints is what is owned; but no managers at all, which it does not print, resets them. */
function printedForm(kind: Kind, obj: KubeObject): KubeObject {
  const out = printEmpties(kind.schema, obj)
  const { managedFields } = obj.metadata
  return managedFields?.length === 0 && out !== obj
    ? { ...out, metadata: { ...out.metadata, managedFields } }
    : out
}

/** Records in `obj` what `manager` changed, compared with `live`. */
export function trackUpdate(
  kind: Kind,
  live: Readonly<KubeObject> | undefined,
  obj: KubeObject,
  manager: string,
  subresource: string,
  nowMs: number,
): void {
  const tracked = updateManagers(
    contextOf(kind, subresource, nowMs),
    live ?? created(kind),
    printedForm(kind, obj),
    manager,
  )
  const { managedFields } = tracked.metadata
  if (managedFields && managedFields.length > 0) obj.metadata.managedFields = managedFields
  else delete obj.metadata.managedFields
}

/** Mirrors: apimachinery pkg/util/managedfields/internal/versioncheck.go */
function checkType(kind: Kind, config: Partial<KubeObject> | null): void {
  const textOf = (value: unknown): string => (typeof value === "string" ? value : "")
  const apiVersion = textOf(config?.apiVersion)
  const name = textOf(config?.kind)
  if (apiVersion === kind.apiVersion && name === kind.kind) return
  const groupVersion = apiVersion.includes("/") ? apiVersion : `/${apiVersion}`
  throw badRequest(`invalid object type: ${groupVersion}, Kind=${name}`)
}

/** The object that applying `config` makes of `live`. Throws StatusErrors (409 for conflicts). */
export function applyToObject(
  kind: Kind,
  live: Readonly<KubeObject> | undefined,
  config: KubeObject,
  options: { manager: string; force: boolean; subresource: string; nowMs: number },
): KubeObject {
  const { manager, force, subresource, nowMs } = options
  checkType(kind, config)
  const applied = applyConfig(contextOf(kind, subresource, nowMs), live, config, manager, force)
  const object = typed(kind, applied.object, config)
  object.kind = kind.kind
  object.apiVersion = kind.apiVersion
  object.metadata ??= {} as KubeObject["metadata"]
  setObjectDefaults(kind, object, nowMs)
  return object
}

function typed(kind: Kind, value: unknown, config: KubeObject): KubeObject {
  try {
    return decodeObject<KubeObject>(kind.schema, value, { keepEmpties: true }).object
  } catch (thrown) {
    if (thrown instanceof DecodeError) throw conversionError(config, thrown.message)
    throw thrown
  }
}
