/** Chooses node ports of a range; who has which is told by others. Mirrors: pkg/registry/core/service/portallocator */
import { randomInt, type Random } from "@knarr/base"

/** Both ends are included. */
export interface PortSpan {
  readonly first: number
  readonly last: number
}

/** Any port of the range that is not `taken`; undefined when there is none. */
export function choosePort(
  { first, last }: PortSpan,
  random: Random,
  taken: (port: number) => boolean,
): number | undefined {
  const count = last - first + 1
  // The lower part is kept for requests by number, as long as there are others.
  const low = count < 16 ? 0 : Math.min(128, Math.max(16, Math.floor(count / 32)))
  return freePort(random, first + low, last, taken) ?? freePort(random, first, first + low - 1, taken)
}

function freePort(
  random: Random,
  from: number,
  to: number,
  taken: (port: number) => boolean,
): number | undefined {
  const count = to - from + 1
  if (count <= 0) return undefined
  const start = randomInt(random, count)
  for (let i = 0; i < count; i++) {
    const port = from + ((start + i) % count)
    if (!taken(port)) return port
  }
  return undefined
}
