/** The scale of what an autoscaler names. Mirrors: pkg/controller/podautoscaler/horizontal.go (scaleForResourceMappings) */
import type { CrossVersionObjectReference, Scale } from "@knarr/api"
import { isConflict, type Kind } from "@knarr/apimachinery"
import { messageOf } from "@knarr/base"
import type { Ref } from "@knarr/client"
import type { ReconcileContext } from "@knarr/controller-kit"

export interface ScaleTarget {
  readonly kind: Kind
  readonly ref: Ref
  readonly scale: Readonly<Scale>
}

/** What keeps a target from being found; the whole is what the log says. */
export class TargetFailure extends Error {
  readonly said: string
  readonly isSpec: boolean

  constructor(prefix: string, said: string, isSpec = false) {
    super(`${prefix}: ${said}`)
    this.said = said
    this.isSpec = isSpec
  }
}

/** As often as upstream's retries of a conflict. */
const attempts = 5

/** Rejects with a {@link TargetFailure}. */
export async function scaleTargetOf(
  { apiVersion = "", kind: name, name: target }: Readonly<CrossVersionObjectReference>,
  namespace: string,
  { served, client, signal }: ReconcileContext,
): Promise<ScaleTarget> {
  const parts = apiVersion.split("/")
  if (parts.length > 2)
    throw new TargetFailure(
      "invalid API version in scale target reference",
      `unexpected GroupVersion string: ${apiVersion}`,
      true,
    )
  const group = parts.length === 2 ? parts[0]! : ""
  const kind = served.find(apiVersion, name)
  if (!kind)
    throw new TargetFailure(
      "unable to determine resource for scale target reference",
      `no matches for kind ${JSON.stringify(name)} in group ${JSON.stringify(group)}`,
    )
  const ref = { namespace, name: target }
  try {
    const scale = await client.getSubresource<Scale>(kind, ref, "scale", { signal })
    return { kind, ref, scale }
  } catch (thrown) {
    if (signal.aborted) throw thrown
    const prefix = `failed to query scale subresource for ${name}/${namespace}/${target}`
    throw new TargetFailure(prefix, messageOf(thrown))
  }
}

/** Asks for so many replicas; where somebody else changed the target meanwhile, again. */
export async function rescale(
  { kind, ref, scale }: ScaleTarget,
  replicas: number,
  { client, signal }: Pick<ReconcileContext, "client" | "signal">,
): Promise<void> {
  let latest = scale
  for (let attempt = 1; ; attempt++) {
    try {
      const wanted = { ...latest, spec: { ...latest.spec, replicas } }
      await client.update(kind as unknown as Kind<Scale>, wanted, { subresource: "scale", signal })
      return
    } catch (thrown) {
      if (!isConflict(thrown) || attempt === attempts) throw thrown
      latest = await client.getSubresource<Scale>(kind, ref, "scale", { signal })
    }
  }
}
