/** What a request is about, by its names: every version of a kind is the same resource. */
import type { Kind } from "@knarr/apimachinery"

/** `subresource` is "" for the resource itself. */
export function isResource(
  { kind, subresource }: { readonly kind: Kind; readonly subresource: string },
  group: string,
  resource: string,
  sub = "",
): boolean {
  return kind.plural === resource && kind.group === group && subresource === sub
}
