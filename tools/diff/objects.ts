/** A valid object of every kind that stores some: the least that is taken, and one with many fields. */
import { kinds } from "@knarr/api"
import type { Kind } from "@knarr/apimachinery"
import { clusterObjects } from "./objects/cluster.ts"
import { coreObjects } from "./objects/core.ts"
import { extendingObjects } from "./objects/extending.ts"
import { networkObjects } from "./objects/network.ts"
import { storageAndDevicesObjects } from "./objects/storage-and-devices.ts"
import { workloadsObjects } from "./objects/workloads.ts"
import type { Entry } from "./objects/entry.ts"

export interface Sample {
  readonly kind: Kind
  /** `apps.v1.Deployment` */
  readonly id: string
  /** Its name; the kind may demand a certain one. */
  readonly name: string
  /** Without apiVersion, kind and metadata. */
  readonly minimal: Record<string, unknown>
  readonly rich: Record<string, unknown>
}

const entries: Readonly<Record<string, Entry>> = {
  ...clusterObjects,
  ...coreObjects,
  ...extendingObjects,
  ...networkObjects,
  ...storageAndDevicesObjects,
  ...workloadsObjects,
}

/** One for each kind whose objects are stored, with names that scripts of another `group` do not have. */
export function samplesOf(group: string): Sample[] {
  return kinds
    .filter((kind) => kind.verbs.includes("update"))
    .map((kind) => {
      const entry = entries[`${kind.apiVersion} ${kind.kind}`]
      if (!entry)
        throw new Error(`Cannot ask for ${kind.apiVersion} ${kind.kind}: it has no sample in objects/`)
      const own = JSON.parse(JSON.stringify(entry).replaceAll("d-diff", `d-${group}`)) as Entry
      return {
        kind,
        id: `${kind.group === "" ? "core" : kind.group.split(".")[0]}.${kind.version}.${kind.kind}`,
        name: own.name ?? `d-${group}-${kind.kind.toLowerCase()}`,
        minimal: own.minimal,
        rich: own.rich ?? own.minimal,
      }
    })
}

export function objectOf(
  sample: Sample,
  which: "minimal" | "rich",
  metadata: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    apiVersion: sample.kind.apiVersion,
    kind: sample.kind.kind,
    metadata: { name: sample.name, ...metadata },
    ...structuredClone(sample[which]),
  }
}

/** The path of a collection. */
export function collectionOf({ group, version, plural, namespaced }: Kind, namespace: string): string {
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`
  return namespaced ? `${root}/namespaces/${namespace}/${plural}` : `${root}/${plural}`
}
