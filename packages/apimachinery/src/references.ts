/** How objects are named and own each other, and API versions as text. Mirrors: apimachinery meta/v1 controller_ref.go, runtime/schema */
import type { Kind, KubeObject } from "./kind.ts"
import type { ObjectMeta, OwnerReference } from "./meta/types.gen.ts"

/** An object of a known kind. No namespace when the kind has none. */
export interface Ref {
  readonly namespace?: string | undefined
  readonly name: string
}

type WithMeta = { readonly metadata: Readonly<Partial<ObjectMeta>> }

/** `namespace/name`, or `name` when there is no namespace: the key of caches and queues. */
export function objectKey(obj: WithMeta): string {
  const { namespace, name } = obj.metadata
  return namespace ? `${namespace}/${name}` : (name ?? "")
}

/** {@link objectKey} of a {@link Ref}. */
export function refKey(ref: Ref): string {
  return ref.namespace ? `${ref.namespace}/${ref.name}` : ref.name
}

/** The {@link Ref} of an object. */
export function refOf(obj: WithMeta): Ref {
  const { namespace, name } = obj.metadata
  return namespace ? { namespace, name: name ?? "" } : { name: name ?? "" }
}

/** The reverse of {@link objectKey}. Throws when there are more than two parts. */
export function parseKey(key: string): Ref {
  const slash = key.indexOf("/")
  if (slash < 0) return { name: key }
  if (key.indexOf("/", slash + 1) >= 0) throw new Error(`unexpected key format: ${JSON.stringify(key)}`)
  const namespace = key.slice(0, slash)
  const name = key.slice(slash + 1)
  return namespace === "" ? { name } : { namespace, name }
}

/** The owner that manages the object, if one does. */
export function controllerOf(obj: WithMeta): OwnerReference | undefined {
  return obj.metadata.ownerReferences?.find((ref) => ref.controller === true)
}

/** Whether `owner` manages `obj` (by uid). */
export function isControlledBy(obj: WithMeta, owner: WithMeta): boolean {
  const uid = controllerOf(obj)?.uid
  return uid !== undefined && uid === owner.metadata.uid
}

/** Whether `owner` is among the owners of `obj` (by uid). */
export function isOwnedBy(obj: WithMeta, owner: WithMeta): boolean {
  return obj.metadata.ownerReferences?.some((ref) => ref.uid === owner.metadata.uid) ?? false
}

/** The reference by which `owner`, of the given kind, manages another object; deletion of the owner waits for it. */
export function newControllerRef(
  owner: Readonly<KubeObject>,
  kind: Pick<Kind, "apiVersion" | "kind">,
): OwnerReference {
  return {
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  }
}

/** An API group and version. */
export interface GroupVersion {
  readonly group: string
  readonly version: string
}

/** `apps/v1` or `v1` as group and version (both "" for ""), or undefined when there is more than one slash. */
export function parseGroupVersion(apiVersion: string): GroupVersion | undefined {
  if (apiVersion === "" || apiVersion === "/") return { group: "", version: "" }
  const slash = apiVersion.indexOf("/")
  if (slash < 0) return { group: "", version: apiVersion }
  if (apiVersion.indexOf("/", slash + 1) >= 0) return undefined
  return { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) }
}

/** `v1`, `apps/v1`. */
export function groupVersionText(gv: GroupVersion): string {
  return gv.group === "" ? gv.version : `${gv.group}/${gv.version}`
}
