/**
 * How the objects of a resource come from one version into another: in batches, because a converter may have to ask
 * somebody (a webhook). What converts at once answers at once, without a promise.
 * Mirrors: apiserver pkg/endpoints/handlers, apiextensions-apiserver pkg/apiserver/conversion
 */
import { internalError, type Kind, type KubeObject } from "@knarr/apimachinery"

export interface Converter {
  /** Whether {@link convert} may answer later. When false it never returns a promise. */
  readonly waits: boolean
  /**
   * `objects`, of any versions of the resource, in the version `to`, in the same order, with their type. They belong to
   * the converter, which may change and return them. A failure is that of the requests and watches that need these objects:
   * a StatusError is told as it is. `signal` ends with the resource; a limit of its own is the converter's business.
   */
  convert(
    objects: readonly KubeObject[],
    to: Kind,
    signal: AbortSignal,
  ): readonly KubeObject[] | Promise<readonly KubeObject[]>
}

/** So many objects are given to a converter that waits at once, at the most. */
export const conversionBatch = 500

/** Converts by what the kinds say, through the stored version. `versions` are those of the resource at the time. */
export function kindConverter(stored: Kind, versions: () => Iterable<Kind>): Converter {
  const toStored = (object: KubeObject): KubeObject => {
    for (const kind of versions()) {
      if (kind.kind !== object.kind || kind.apiVersion !== object.apiVersion) continue
      return typed(kind.toStored ? kind.toStored(object) : { ...object }, stored)
    }
    throw internalError(`${object.apiVersion} ${object.kind} is no version of ${stored.plural}`)
  }
  const isStored = ({ kind, apiVersion }: KubeObject): boolean =>
    kind === stored.kind && apiVersion === stored.apiVersion
  return {
    waits: false,
    convert: (objects, to) =>
      objects.map((object) => {
        const hub = isStored(object) ? object : toStored(object)
        return to === stored ? hub : typed(to.fromStored ? to.fromStored(hub) : hub, to)
      }),
  }
}

function typed(object: KubeObject, { kind, apiVersion }: Kind): KubeObject {
  object.kind = kind
  object.apiVersion = apiVersion
  return object
}

/** The answer of a converter, if it is one. Throws a StatusError. */
export function checkConverted(
  objects: readonly KubeObject[],
  converted: readonly KubeObject[],
  to: Kind,
): readonly KubeObject[] {
  if (converted.length !== objects.length)
    throw internalError(
      `conversion to ${to.apiVersion} returned ${converted.length} objects, expected ${objects.length}`,
    )
  for (const [i, { kind, apiVersion, metadata }] of converted.entries()) {
    if (kind !== to.kind || apiVersion !== to.apiVersion)
      throw internalError(
        `conversion returned ${apiVersion} ${kind} for ${objects[i]!.metadata.name}, expected ${to.apiVersion} ${to.kind}`,
      )
    const { name, namespace, uid } = objects[i]!.metadata
    if (metadata?.name !== name || metadata.namespace !== namespace || metadata.uid !== uid)
      throw internalError(`conversion to ${to.apiVersion} changed the identity of ${name}`)
  }
  return converted
}
