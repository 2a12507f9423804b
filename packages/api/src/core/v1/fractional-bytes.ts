/** Amounts of memory and disk that are no whole number of bytes. Mirrors: pkg/api/pod/warnings.go */
import { parseQuantity } from "@knarr/apimachinery"

/** A warning for each of the named amounts that has a fraction. */
export function fractionalBytes(
  path: string,
  amounts: Readonly<Record<string, string>> | undefined,
  names: readonly string[],
): string[] {
  const out: string[] = []
  for (const name of names) {
    const amount = amounts?.[name]
    if (amount === undefined) continue
    const quantity = parseQuantity(amount)
    if (!Number.isInteger(quantity.asNumber()))
      out.push(`${path}[${name}]: fractional byte value "${quantity}" is invalid, must be an integer`)
  }
  return out
}
