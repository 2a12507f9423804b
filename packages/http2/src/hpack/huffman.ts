/** The code in which header strings are shortened. Mirrors: RFC 7541 §5.2 and Appendix B */

/** Bits of each octet's code. The codes themselves follow: shorter ones first, octets in their order. */
// oxfmt-ignore
const codeLengths = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
]

/** Node of the code's tree after four more bits, and what was completed by them. */
interface Step {
  /** -1: no code goes on like this. */
  readonly next: Int16Array
  /** -1: nothing. */
  readonly octet: Int16Array
  /** 1: a string may end here, before the padding's missing bits. */
  readonly final: Uint8Array
}

let steps: Step | undefined

/** The tree as a list of pairs: a positive entry is a node, a negative one the octet -1 - entry, 0 nothing (the end code). */
function codeTree(): [zero: number, one: number][] {
  const tree: [number, number][] = [[0, 0]]
  const order = codeLengths.map((length, octet) => ({ length, octet })).sort((a, b) => a.length - b.length)
  let code = 0
  let bits = order[0]!.length
  for (const { length, octet } of order) {
    code *= 2 ** (length - bits)
    bits = length
    let node = 0
    for (let bit = length - 1; bit >= 0; bit--) {
      const side = (code >>> bit) & 1
      if (bit === 0) tree[node]![side] = -1 - octet
      else {
        if (tree[node]![side] === 0) tree[node]![side] = tree.push([0, 0]) - 1
        node = tree[node]![side]!
      }
    }
    code++
  }
  return tree
}

function makeSteps(): Step {
  const tree = codeTree()
  const next = new Int16Array(tree.length * 16)
  const octet = new Int16Array(tree.length * 16).fill(-1)
  for (let start = 0; start < tree.length; start++)
    for (let nibble = 0; nibble < 16; nibble++) {
      const at = start * 16 + nibble
      let node = start
      for (let bit = 3; bit >= 0 && node >= 0; bit--) {
        const to = tree[node]![(nibble >>> bit) & 1]!
        if (to > 0) node = to
        else if (to === 0) node = -1
        else {
          octet[at] = -1 - to
          node = 0
        }
      }
      next[at] = node
    }
  const final = new Uint8Array(tree.length)
  // Padding is up to seven ones.
  for (let ones = 0, node = 0; ones < 8 && node >= 0; ones++) {
    final[node] = 1
    const to = tree[node]![1]
    node = to > 0 ? to : -1
  }
  return { next, octet, final }
}

let scratch = Buffer.allocUnsafe(4096)

/** The string whose code is between two places of a block; undefined when there is none. One character per octet. */
export function decodeHuffman(block: Buffer, start: number, end: number): string | undefined {
  steps ??= makeSteps()
  const { next, octet, final } = steps
  // The shortest code has five bits.
  const longest = Math.ceil(((end - start) * 8) / 5)
  if (scratch.length < longest) scratch = Buffer.allocUnsafe(longest)
  let node = 0
  let length = 0
  for (let i = start; i < end; i++) {
    const byte = block[i]!
    for (let nibble = byte >>> 4, half = 0; half < 2; half++, nibble = byte & 15) {
      const at = node * 16 + nibble
      if (octet[at]! >= 0) scratch[length++] = octet[at]!
      node = next[at]!
      if (node < 0) return undefined
    }
  }
  return final[node] === 1 ? scratch.toString("latin1", 0, length) : undefined
}
