/** Keys are text that is ordered by its UTF-8 bytes, which is not quite JavaScript's order of strings. */

/** The longest key in bytes. */
const maxKeyBytes = 2048

/** Throws unless `key` may be written: not empty, well-formed Unicode, at most {@link maxKeyBytes} long. */
export function checkKey(key: string): void {
  if (key === "") throw new Error("Cannot write a key: it is empty")
  if (!key.isWellFormed()) throw new Error(`Cannot write the key ${JSON.stringify(key)}: it is not Unicode`)
  if (key.length * 3 > maxKeyBytes && Buffer.byteLength(key) > maxKeyBytes)
    throw new Error(`Cannot write the key "${key.slice(0, 64)}…": it is longer than ${maxKeyBytes} bytes`)
}

/** Negative, zero or positive as `a` comes before, with or after `b` in the order of their UTF-8 bytes. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return rank(x) - rank(y)
  }
  return a.length - b.length
}

/** UTF-16 puts surrogates (code points from 0x10000 on) before 0xe000 to 0xffff; UTF-8 puts them after. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}
