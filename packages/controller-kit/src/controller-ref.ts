/**
 * Who manages an object: reading and making controller references, adoption and release.
 * Mirrors: pkg/controller/controller_ref_manager.go
 */
import type { Kind, KubeObject, OwnerReference } from "@knarr/apimachinery"
import { isInvalid, isNotFound } from "@knarr/apimachinery"
import type { Client, Ref } from "@knarr/client"

/** The reference to the object's controller, when it has one. */
export function controllerOf(obj: KubeObject): OwnerReference | undefined {
  return obj.metadata.ownerReferences?.find((ref) => ref.controller === true)
}

/** True when `owner` is the controller of `obj`. */
export function isControlledBy(obj: KubeObject, owner: KubeObject): boolean {
  return controllerOf(obj)?.uid === owner.metadata.uid
}

/** A reference that makes `owner`, an object of `kind`, the controller of the object that carries it. */
export function controllerReference(owner: KubeObject, kind: Kind): OwnerReference {
  return {
    apiVersion: kind.apiVersion,
    kind: kind.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid,
    controller: true,
    blockOwnerDeletion: true,
  }
}

/** The group of an `apiVersion`: `apps` of `apps/v1`, "" of `v1`. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf("/")
  return slash < 0 ? "" : apiVersion.slice(0, slash)
}

/** True when `ref` names an object of `kind` (in any version). */
export function refersToKind(ref: Pick<OwnerReference, "apiVersion" | "kind">, kind: Kind): boolean {
  return ref.kind === kind.kind && groupOf(ref.apiVersion) === kind.group
}

/** The name of an object, for calls. */
export function refOf(obj: {
  readonly metadata: { readonly namespace?: string | undefined; readonly name: string }
}): Ref {
  return { namespace: obj.metadata.namespace, name: obj.metadata.name }
}

/** `namespace/name`, or `name` for cluster-scoped objects. */
export function keyOf(ref: Ref): string {
  return ref.namespace ? `${ref.namespace}/${ref.name}` : ref.name
}

/** `namespace/name` of an object. */
export function objectKey(obj: KubeObject): string {
  return keyOf(refOf(obj))
}

/** The reverse of {@link keyOf}. */
export function refFromKey(key: string): Ref {
  const slash = key.indexOf("/")
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}

export interface ClaimOptions<T extends KubeObject> {
  readonly client: Client
  readonly owner: KubeObject
  readonly ownerKind: Kind
  readonly kind: Kind<T>
  readonly candidates: readonly T[]
  /** The owner's selector and whatever else decides that an object belongs to it. */
  readonly matches: (obj: T) => boolean
  /** Objects that may be adopted beside `matches`; for pods: those that are active. Default: all. */
  readonly adoptable?: (obj: T) => boolean
  /** Adds this finalizer to what is adopted. */
  readonly finalizer?: string
  readonly signal: AbortSignal
}

/**
 * The candidates that belong to `owner`: those it controls and that still match; orphans that match are
 * adopted, controlled ones that no longer match are released. An owner that is being deleted adopts nothing.
 */
export async function claimObjects<T extends KubeObject>(options: ClaimOptions<T>): Promise<T[]> {
  const { client, owner, ownerKind, kind, matches, signal } = options
  const claimed: T[] = []
  let mayAdopt: Promise<void> | undefined
  for (const obj of options.candidates) {
    const controller = controllerOf(obj)
    if (controller) {
      if (controller.uid !== owner.metadata.uid) continue
      if (matches(obj)) claimed.push(obj)
      else if (!owner.metadata.deletionTimestamp)
        await release(client, kind, obj, owner, options.finalizer, signal)
      continue
    }
    if (owner.metadata.deletionTimestamp || obj.metadata.deletionTimestamp || !matches(obj)) continue
    if (options.adoptable && !options.adoptable(obj)) continue
    if (owner.metadata.namespace && owner.metadata.namespace !== obj.metadata.namespace) continue
    mayAdopt ??= recheck(client, owner, ownerKind, signal)
    await mayAdopt
    const metadata: Record<string, unknown> = {
      uid: obj.metadata.uid,
      ownerReferences: [controllerReference(owner, ownerKind)],
    }
    if (options.finalizer) metadata["finalizers"] = [options.finalizer]
    try {
      claimed.push(await client.patch(kind, refOf(obj), "strategic", { metadata }, { signal }))
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown
    }
  }
  return claimed
}

/** Makes sure, with a fresh read, that the owner still is what the cache says and is not being deleted. */
async function recheck(client: Client, owner: KubeObject, kind: Kind, signal: AbortSignal): Promise<void> {
  const fresh = await client.get<KubeObject>(kind, refOf(owner), { signal })
  if (fresh.metadata.uid !== owner.metadata.uid) {
    throw new Error(
      `original ${kind.kind} ${objectKey(owner)} is gone: got uid ${fresh.metadata.uid}, wanted ${owner.metadata.uid}`,
    )
  }
  if (fresh.metadata.deletionTimestamp) {
    throw new Error(`${objectKey(owner)} has just been deleted at ${fresh.metadata.deletionTimestamp}`)
  }
}

async function release<T extends KubeObject>(
  client: Client,
  kind: Kind<T>,
  obj: T,
  owner: KubeObject,
  finalizer: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const metadata: Record<string, unknown> = {
    uid: obj.metadata.uid,
    ownerReferences: [{ $patch: "delete", uid: owner.metadata.uid }],
  }
  if (finalizer && obj.metadata.finalizers?.includes(finalizer))
    metadata["$deleteFromPrimitiveList/finalizers"] = [finalizer]
  try {
    await client.patch(kind, refOf(obj), "strategic", { metadata }, { signal })
  } catch (thrown) {
    // Gone, or no longer the same object: nothing to release.
    if (!isNotFound(thrown) && !isInvalid(thrown)) throw thrown
  }
}
