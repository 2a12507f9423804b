/**
 * Sets of field paths. A set is the very JSON that `managedFields[].fieldsV1` holds, in canonical order, so that reading
 * and writing cost nothing, and operations share what they do not change.
 * Mirrors: structured-merge-diff fieldpath/set.go and serialize.go
 */
import { isEmptyObject, isObject } from "../patch/json-value.ts"
import { canonicalElement, compareElements, sortElements } from "./path-element.ts"

/**
 * A node of the trie. Below the root, `{}` says that the path to here is in the set, and so does a field `.` beside
 * others.
 */
export interface FieldsNode {
  readonly [element: string]: FieldsNode
}
type MutableNode = Record<string, FieldsNode>

const leaf: FieldsNode = Object.freeze({})
const self = "."

const known = new WeakMap<object, FieldSet>()

/** An immutable set of field paths; a path is a list of steps such as `f:spec` (see path-element.ts). */
export class FieldSet {
  static readonly empty: FieldSet = new FieldSet(leaf)
  readonly #root: FieldsNode

  private constructor(root: FieldsNode) {
    this.#root = root
  }

  /** The set that `root` is, which must be canonical and is never changed again. For the files of this folder. */
  static ofNode(root: FieldsNode | undefined): FieldSet {
    return root === undefined || isEmptyObject(root) ? FieldSet.empty : new FieldSet(root)
  }

  /** Reads a `fieldsV1` value; one that is already canonical is kept as it is. Throws an Error when it is not valid. */
  static fromJSON(json: unknown): FieldSet {
    if (json === undefined || json === null) return FieldSet.empty
    if (!isObject(json)) throw new Error("fieldsV1 must be an object")
    let set = known.get(json)
    if (!set) known.set(json, (set = FieldSet.ofNode(canonical(json))))
    return set
  }

  /** The set of these paths. */
  static of(...paths: readonly (readonly string[])[]): FieldSet {
    const builder = new FieldSetBuilder()
    for (const path of paths) builder.insert(path)
    return builder.build()
  }

  /** The `fieldsV1` value, in the order that upstream writes; do not change it. */
  toJSON(): FieldsNode {
    return this.#root
  }

  isEmpty(): boolean {
    return this === FieldSet.empty
  }

  has(path: readonly string[]): boolean {
    let node = this.#root
    for (const element of path) {
      const next = node[element]
      if (next === undefined) return false
      node = next
    }
    return path.length > 0 && isMember(node)
  }

  equals(other: FieldSet): boolean {
    return sameNode(this.#root, other.#root)
  }

  /** This set and one more path. */
  insert(path: readonly string[]): FieldSet {
    return this.union(FieldSet.of(path))
  }

  union(other: FieldSet): FieldSet {
    if (this.isEmpty() || this === other) return other
    if (other.isEmpty()) return this
    return this.#made(unionOf(this.#root, other.#root))
  }

  /** The union of them all: two and two, so that no set is copied once for every other. */
  static unionOf(sets: readonly FieldSet[]): FieldSet {
    let left = sets
    while (left.length > 1) {
      const next: FieldSet[] = []
      for (let i = 0; i < left.length; i += 2) next.push(left[i + 1]?.union(left[i]!) ?? left[i]!)
      left = next
    }
    return left[0] ?? FieldSet.empty
  }

  intersection(other: FieldSet): FieldSet {
    if (this.isEmpty() || other.isEmpty()) return FieldSet.empty
    return this.#made(join(false, commonChildren(this.#root, other.#root)))
  }

  /** Without the paths that `other` has; paths below those stay. */
  difference(other: FieldSet): FieldSet {
    if (this.isEmpty() || other.isEmpty()) return this
    return this.#made(join(false, remainingChildren(this.#root, other.#root)))
  }

  /** Without the paths that `other` has and without all that is below them. */
  recursiveDifference(other: FieldSet): FieldSet {
    if (this.isEmpty() || other.isEmpty()) return this
    return this.#made(join(false, pruneChildren(this.#root, other.#root)))
  }

  /** Only the paths that have no other path of the set below them. */
  leaves(): FieldSet {
    if (this.isEmpty()) return this
    return this.#made(leavesOf(this.#root))
  }

  /** The set below one step, without the step itself. */
  withPrefix(element: string): FieldSet {
    const node = this.#root[element]
    return node === undefined ? FieldSet.empty : FieldSet.ofNode(withoutSelf(node))
  }

  /** Every path; those that end at a node come before those that go on below it. */
  *paths(): Generator<readonly string[]> {
    yield* pathsOf(this.#root, [])
  }

  #made(root: FieldsNode | undefined): FieldSet {
    return root === this.#root ? this : FieldSet.ofNode(root)
  }
}

/** Whether the path to a node below the root is in the set. */
export function isMember(node: FieldsNode): boolean {
  return node[self] !== undefined || isEmptyObject(node)
}

/** A node from its parts; undefined when nothing is left. `children` may already hold the mark of membership. */
function join(member: boolean, children: FieldsNode | undefined): FieldsNode | undefined {
  if (children === undefined || isEmptyObject(children)) return member ? leaf : undefined
  if (!member || children[self] !== undefined) return children
  return { [self]: leaf, ...children }
}

function withoutSelf(node: FieldsNode): FieldsNode {
  if (node[self] === undefined) return node
  const { [self]: _, ...children } = node
  return children
}

function unionOf(a: FieldsNode, b: FieldsNode): FieldsNode {
  if (a === b) return a
  if (isEmptyObject(a)) return join(true, b)!
  if (isEmptyObject(b)) return join(true, a)!
  let out: MutableNode | undefined
  let added = false
  for (const element in b) {
    const mine = a[element]
    const theirs = b[element]!
    const merged = mine === undefined ? theirs : unionOf(mine, theirs)
    if (merged === mine) continue
    out ??= { ...a }
    out[element] = merged
    if (mine === undefined) added = true
  }
  if (out === undefined) return a
  return added ? sorted(out) : out
}

function commonChildren(a: FieldsNode, b: FieldsNode): FieldsNode | undefined {
  const out: MutableNode = {}
  for (const element in a) {
    const theirs = b[element]
    if (theirs === undefined || element === self) continue
    const mine = a[element]!
    const node = join(isMember(mine) && isMember(theirs), commonChildren(mine, theirs))
    if (node !== undefined) out[element] = node
  }
  return out
}

/** The children of `a`, without its own membership. */
function remainingChildren(a: FieldsNode, b: FieldsNode): FieldsNode {
  let out: MutableNode | undefined
  for (const element in b) {
    const mine = a[element]
    if (mine === undefined || element === self) continue
    const theirs = b[element]!
    const member = isMember(mine) && !isMember(theirs)
    const children = remainingChildren(withoutSelf(mine), theirs)
    const node = join(member, children)
    if (node !== undefined && sameShape(node, mine)) continue
    out ??= { ...a }
    if (node === undefined) delete out[element]
    else out[element] = node
  }
  return out ?? a
}

function sameShape(node: FieldsNode, old: FieldsNode): boolean {
  return node === old || (isMember(node) === isMember(old) && sameNode(node, old))
}

function pruneChildren(a: FieldsNode, b: FieldsNode): FieldsNode {
  let out: MutableNode | undefined
  for (const element in b) {
    const mine = a[element]
    if (mine === undefined || element === self) continue
    const theirs = b[element]!
    let node: FieldsNode | undefined
    if (!isMember(theirs)) {
      node = join(isMember(mine), pruneChildren(mine, theirs))
      if (node === mine) continue
    }
    out ??= { ...a }
    if (node === undefined) delete out[element]
    else out[element] = node
  }
  if (out === undefined) return a
  // Only the mark of membership may be left.
  return out[self] !== undefined ? withoutSelf(out) : out
}

function leavesOf(node: FieldsNode): FieldsNode {
  if (isEmptyObject(node)) return node
  const out: MutableNode = {}
  let same = true
  for (const element in node) {
    const child = node[element]!
    if (element === self && Object.keys(node).length > 1) {
      same = false
      continue
    }
    out[element] = leavesOf(child)
    if (out[element] !== child) same = false
  }
  return same ? node : out
}

function sameNode(a: FieldsNode, b: FieldsNode): boolean {
  if (a === b) return true
  let count = 0
  for (const element in a) {
    const other = b[element]
    if (other === undefined || !sameNode(a[element]!, other)) return false
    count++
  }
  for (const _ in b) count--
  return count === 0
}

function* pathsOf(node: FieldsNode, prefix: readonly string[]): Generator<readonly string[]> {
  for (const element in node) if (element !== self && isMember(node[element]!)) yield [...prefix, element]
  for (const element in node) if (element !== self) yield* pathsOf(node[element]!, [...prefix, element])
}

function sorted(node: FieldsNode): FieldsNode {
  const out: MutableNode = {}
  for (const element of sortElements(Object.keys(node))) out[element] = node[element]!
  return out
}

/** The node itself when it is canonical already, else its canonical form. */
function canonical(node: Record<string, unknown>): FieldsNode {
  let out: MutableNode | undefined
  let ordered = true
  let previous = ""
  let count = 0
  for (const text in node) {
    const child = node[text]
    if (!isObject(child)) throw new Error(`expected an object at ${text}`)
    const element = text === self ? text : canonicalElement(text)
    const value = isEmptyObject(child) ? (child as FieldsNode) : canonical(child)
    if (element !== text || value !== child) out ??= { ...node } as MutableNode
    if (out) {
      if (element !== text) delete out[text]
      out[element] = value
    }
    if (count++ > 0 && compareElements(previous, element) > 0) ordered = false
    previous = element
  }
  if (count === 1 && previous === self) return leaf
  const result = out ?? (node as FieldsNode)
  return ordered && !out ? result : sorted(result)
}

interface BuilderNode {
  member: boolean
  children: Map<string, BuilderNode> | undefined
}

/** Collects paths and makes the set of them. */
export class FieldSetBuilder {
  readonly #root: BuilderNode = { member: false, children: undefined }

  /** Adds the first `length` steps of `path` as one path. */
  insert(path: readonly string[], length: number = path.length): void {
    let node = this.#root
    for (let i = 0; i < length; i++) {
      node.children ??= new Map()
      let next = node.children.get(path[i]!)
      if (!next) node.children.set(path[i]!, (next = { member: false, children: undefined }))
      node = next
    }
    node.member = true
  }

  build(): FieldSet {
    this.#root.member = false
    return FieldSet.ofNode(builtNode(this.#root))
  }
}

function builtNode(node: BuilderNode): FieldsNode {
  if (!node.children) return leaf
  const out: MutableNode = {}
  if (node.member) out[self] = leaf
  for (const element of sortElements([...node.children.keys()]))
    out[element] = builtNode(node.children.get(element)!)
  return out
}
