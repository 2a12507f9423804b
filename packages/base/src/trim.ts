/** Cuts characters off the ends of a text in one pass: `/x+$/` takes the square of its length for what does not end so. */

/** `text` without what of `characters` it ends in. */
export function trimEndOf(text: string, characters: string): string {
  let to = text.length
  while (to > 0 && characters.includes(text[to - 1]!)) to--
  return text.slice(0, to)
}

/** `text` without what of `characters` it begins and ends in. */
export function trimOf(text: string, characters: string): string {
  let from = 0
  while (from < text.length && characters.includes(text[from]!)) from++
  return trimEndOf(text.slice(from), characters)
}
