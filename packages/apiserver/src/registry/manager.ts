/** Names of field managers. */

/** The manager of writes that name none: the user agent up to its first slash. */
export function managerOfAgent(userAgent: string): string {
  let out = ""
  for (const rune of userAgent.split("/")[0]!) {
    if (!/[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(rune)) continue
    if (Buffer.byteLength(out + rune) > 128) break
    out += rune
  }
  return out
}
