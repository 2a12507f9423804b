/** An object of one served version of a resource in another. */
import { deepClone, type KubeObject } from "@knarr/apimachinery"
import { whenReady } from "@knarr/base"
import type { GroupVersionKind } from "../contract.ts"
import { checkConverted } from "./converter.ts"
import type { Registry } from "./registry.ts"

/** A copy in the version `to`. Throws when one of them is not served, or they are not of one resource. */
export function convertObject(
  registry: Pick<Registry, "findKind">,
  object: Readonly<KubeObject>,
  to: GroupVersionKind,
): KubeObject | Promise<KubeObject> {
  const { apiVersion = "", kind = "" } = object
  const slash = apiVersion.indexOf("/")
  const group = slash < 0 ? "" : apiVersion.slice(0, slash)
  const from = registry.findKind(group, apiVersion.slice(slash + 1), kind)
  const wanted = registry.findKind(to.group, to.version, to.kind)
  if (!from || from.cache !== wanted?.cache) {
    const name = to.group === "" ? to.version : `${to.group}/${to.version}`
    throw new Error(
      `Cannot convert a ${kind} of ${apiVersion} to ${to.kind} of ${name}: they are not one resource`,
    )
  }
  const copies = [deepClone(object) as KubeObject]
  if (from === wanted) return copies[0]!
  const { converter, signal } = from.view.resource
  return whenReady(
    converter.convert(copies, wanted.kind, signal),
    (converted) => checkConverted([object], converted, wanted.kind)[0]!,
  )
}
