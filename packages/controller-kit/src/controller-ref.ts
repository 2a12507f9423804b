/**
 * Who manages an object: reading and making controller references, adoption and release.
 * Mirrors: pkg/controller/controller_ref_manager.go
 */
import type { Kind, KubeObject, OwnerReference } from "@knarr/apimachinery"
import { controllerOf, isInvalid, isNotFound, newControllerRef, objectKey, refOf } from "@knarr/apimachinery"
import type { Client } from "@knarr/client"

/** The group of an `apiVersion`: `apps` of `apps/v1`, "" of `v1`. */
function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf("/")
  return slash < 0 ? "" : apiVersion.slice(0, slash)
}

/** True when `ref` names an object of `kind` (in any version). */
export function refersToKind(ref: Pick<OwnerReference, "apiVersion" | "kind">, kind: Kind): boolean {
  return ref.kind === kind.kind && groupOf(ref.apiVersion) === kind.group
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
      ownerReferences: [newControllerRef(owner, ownerKind)],
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
