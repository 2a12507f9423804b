/** Stored versions of a template. Mirrors: pkg/controller/history */
import { controllerRevision, type ControllerRevision, type PodTemplateSpec } from "@knarr/api"
import {
  deepClone,
  isAlreadyExists,
  isNotFound,
  newControllerRef,
  refOf,
  semanticEqual,
  sortKeys,
  type Kind,
  type KubeObject,
} from "@knarr/apimachinery"
import { claimObjects, type ReconcileContext } from "@knarr/controller-kit"
import { templateHash } from "./template-hash.ts"
import type { Matches } from "./selector.ts"

export const revisionHashLabel = "controller-revision-hash"

interface Owner extends KubeObject {
  spec: { template: PodTemplateSpec; revisionHistoryLimit?: number | undefined }
}

const byRevision = (a: ControllerRevision, b: ControllerRevision): number =>
  (a.revision ?? 0) - (b.revision ?? 0) ||
  (a.metadata.creationTimestamp < b.metadata.creationTimestamp
    ? -1
    : a.metadata.creationTimestamp > b.metadata.creationTimestamp
      ? 1
      : 0) ||
  (a.metadata.name < b.metadata.name ? -1 : 1)

/** The owner's revisions, oldest first; orphans that match are adopted. */
export async function ownRevisions(
  owner: Owner,
  ownerKind: Kind,
  matches: Matches,
  ctx: ReconcileContext,
): Promise<ControllerRevision[]> {
  const claimed = await claimObjects({
    client: ctx.client,
    owner,
    ownerKind,
    kind: controllerRevision,
    candidates: ctx.cache.list(controllerRevision, { namespace: owner.metadata.namespace }),
    matches: (revision) => matches(revision.metadata.labels),
    signal: ctx.signal,
  })
  return claimed.sort(byRevision)
}

/** The template as a revision stores it: a patch that replaces it. Clients compare its bytes, keys in order, with their own. */
function dataOf(owner: Owner): Record<string, unknown> {
  const template = { ...owner.spec.template, $patch: "replace" }
  return sortKeys({ spec: { template } }) as Record<string, unknown>
}

/** The template that a revision stores. */
export function templateOf(revision: ControllerRevision): PodTemplateSpec {
  const data = revision.data as { spec?: { template?: PodTemplateSpec & { $patch?: string } } }
  const { $patch: _patch, ...template } = deepClone(
    data.spec?.template ?? { metadata: {}, spec: { containers: [] } },
  )
  return template as PodTemplateSpec
}

export interface CurrentRevision {
  readonly revision: ControllerRevision
  readonly collisionCount: number | undefined
}

/**
 * The revision of the owner's template: the newest one, an older one taken up again (it becomes the newest), or
 * a new one. `hashLabel` is where the hash goes beside the name.
 */
export async function currentRevision(
  owner: Owner,
  ownerKind: Kind,
  revisions: readonly ControllerRevision[],
  collisionCount: number | undefined,
  hashLabel: string,
  ctx: ReconcileContext,
): Promise<CurrentRevision> {
  const { client, signal } = ctx
  const data = dataOf(owner)
  const next = Math.max(0, ...revisions.map((one) => one.revision ?? 0)) + 1
  const equal = revisions.filter((one) => semanticEqual(one.data, data)).at(-1)
  if (equal) {
    if (equal.revision === next - 1) return { revision: equal, collisionCount }
    return {
      revision: await client.update(controllerRevision, { ...equal, revision: next }, { signal }),
      collisionCount,
    }
  }
  for (let collisions = collisionCount ?? 0; ; collisions++) {
    const hash = templateHash(data, collisions)
    const name = `${owner.metadata.name.slice(0, 223)}-${hash}`
    const { namespace } = owner.metadata
    const metadata = {
      name,
      namespace,
      labels: { ...owner.spec.template.metadata?.labels, [hashLabel]: hash },
      annotations: { ...owner.metadata.annotations },
      ownerReferences: [newControllerRef(owner, ownerKind)],
    }
    const used = collisions === 0 && collisionCount === undefined ? undefined : collisions
    try {
      const revision = await client.create(controllerRevision, { metadata, data, revision: next }, { signal })
      return { revision, collisionCount: used }
    } catch (thrown) {
      if (!isAlreadyExists(thrown)) throw thrown
      const present = await client.get(controllerRevision, { namespace, name }, { signal })
      if (semanticEqual(present.data, data)) return { revision: present, collisionCount: used }
    }
  }
}

/** Deletes the oldest revisions beyond the owner's limit, except those that are in use. */
export async function trimRevisions(
  owner: Owner,
  revisions: readonly ControllerRevision[],
  isLive: (revision: ControllerRevision) => boolean,
  { client, signal }: ReconcileContext,
): Promise<void> {
  const limit = owner.spec.revisionHistoryLimit ?? 10
  const dead = revisions.filter((revision) => !isLive(revision))
  for (const revision of dead.slice(0, Math.max(0, dead.length - limit))) {
    try {
      await client.delete(controllerRevision, refOf(revision), { signal })
    } catch (thrown) {
      if (!isNotFound(thrown)) throw thrown
    }
  }
}
