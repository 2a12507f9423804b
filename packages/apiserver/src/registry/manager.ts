/** Names of field managers. */

/** The manager of writes that name none: the user agent up to its first slash. */
export function managerOfAgent(userAgent: string): string {
  const [program = ""] = userAgent.split("/", 1)
  if (/^[\x20-\x7e]{0,128}$/.test(program)) return program
  let out = ""
  for (const rune of program) {
    if (!/[\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(rune)) continue
    if (Buffer.byteLength(out + rune) > 128) break
    out += rune
  }
  return out
}
