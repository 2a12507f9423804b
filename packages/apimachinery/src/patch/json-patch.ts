/**
 * RFC 6902 JSON Patch as the API server applies it, with negative array indices.
 * Mirrors: github.com/evanphx/json-patch v4
 */
import { byteLength, goQuote } from "../go-format.ts"
import { isObject, jsonClone, jsonEqual, setField, type JsonObject } from "./json-value.ts"
import { PatchError } from "./patch-error.ts"

/** One operation, as it comes off the wire: nothing about it is checked yet. */
export interface JSONPatchOperation {
  readonly op?: unknown
  readonly path?: unknown
  readonly from?: unknown
  readonly value?: unknown
}

/** The most operations that one patch may have. */
export const maxJSONPatchOperations = 10_000
/** The most bytes that the `copy` operations of one patch may add. */
export const maxJSONPatchCopyBytes = 3 * 1024 * 1024

type Container = JsonObject | unknown[]

const fail = (message: string): never => {
  throw new PatchError("unprocessable", message)
}
const missing = (message: string): never => fail(`${message}: missing value`)

/**
 * The document after all operations; `doc` is not changed. Throws {@link PatchError}: `bad-request` for a patch that is
 * not a list of objects, `too-large` for too many operations, `unprocessable` when an operation does not apply.
 */
export function applyJSONPatch(doc: unknown, patch: unknown): unknown {
  const operations = decode(patch)
  const state = new Patcher(doc)
  for (const operation of operations) state.apply(operation)
  return state.doc
}

function decode(patch: unknown): JSONPatchOperation[] {
  if (patch === null) return []
  if (!Array.isArray(patch)) {
    throw new PatchError(
      "bad-request",
      `error decoding patch: json: cannot unmarshal ${jsonKind(patch)} into Go value of type []handlers.jsonPatchOp`,
    )
  }
  for (const operation of patch) {
    if (operation !== null && !isObject(operation)) {
      throw new PatchError(
        "bad-request",
        `error decoding patch: json: cannot unmarshal ${jsonKind(operation)} into Go value of type handlers.jsonPatchOp`,
      )
    }
  }
  if (patch.length > maxJSONPatchOperations) {
    throw new PatchError(
      "too-large",
      `The allowed maximum operations in a JSON patch is ${maxJSONPatchOperations}, got ${patch.length}`,
    )
  }
  return patch.map((operation: JSONPatchOperation | null) => operation ?? {})
}

function jsonKind(value: unknown): string {
  if (Array.isArray(value)) return "array"
  return typeof value === "boolean" ? "bool" : typeof value
}

class Patcher {
  doc: unknown
  /** Containers made by this patch, which may be changed in place. */
  readonly #own = new Set<object>()
  #copied = 0

  constructor(doc: unknown) {
    this.doc = doc
  }

  apply(op: JSONPatchOperation): void {
    switch (op.op) {
      case "add":
        return this.#add(op)
      case "remove":
        return this.#remove(op)
      case "replace":
        return this.#replace(op)
      case "move":
        return this.#move(op)
      case "test":
        return this.#test(op)
      case "copy":
        return this.#copy(op)
      default:
        return fail(`Unexpected kind: ${typeof op.op === "string" ? op.op : "unknown"}`)
    }
  }

  #add(op: JSONPatchOperation): void {
    const path = pathOf(op, "add")
    const at = this.#find(path)
    if (!at) return missing(`add operation does not apply: doc is missing path: "${path}"`)
    within(`error in add for path: '${path}'`, () => insert(at.in, at.key, jsonClone(op.value ?? null)))
  }

  #remove(op: JSONPatchOperation): void {
    const path = pathOf(op, "remove")
    const at = this.#find(path)
    if (!at) return missing(`remove operation does not apply: doc is missing path: "${path}"`)
    within(`error in remove for path: '${path}'`, () => take(at.in, at.key))
  }

  #replace(op: JSONPatchOperation): void {
    const path = pathOf(op, "replace")
    if (path === "") {
      if (typeof op.value !== "object" || op.value === null)
        return fail("replace operation value must be object or array")
      this.doc = jsonClone(op.value)
      return
    }
    const at = this.#find(path)
    if (!at) return missing(`replace operation does not apply: doc is missing path: ${path}`)
    try {
      read(at.in, at.key)
    } catch {
      return missing(`replace operation does not apply: doc is missing key: ${path}`)
    }
    const value = jsonClone(op.value ?? null)
    if (Array.isArray(at.in)) at.in[indexIn(at.key, at.in.length, at.in.length)] = value
    else setField(at.in, at.key, value)
  }

  #move(op: JSONPatchOperation): void {
    const from = fromOf(op, "move")
    const source = this.#find(from)
    if (!source) return missing(`move operation does not apply: doc is missing from path: ${from}`)
    const value = within(`error in move for path: '${source.key}'`, () => {
      const found = read(source.in, source.key)
      take(source.in, source.key)
      return found
    })
    const path = pathOf(op, "move")
    const at = this.#find(path)
    if (!at) return missing(`move operation does not apply: doc is missing destination path: ${path}`)
    within(`error in move for path: '${path}'`, () => insert(at.in, at.key, value))
  }

  #test(op: JSONPatchOperation): void {
    const path = pathOf(op, "test")
    const failed = (): never => {
      throw new PatchError("unprocessable", `testing path ${path} failed: test failed`, { testFailed: true })
    }
    if (path === "") {
      if (!jsonEqual(this.doc, op.value ?? null)) failed()
      return
    }
    const at = this.#find(path)
    if (!at) return missing(`test operation does not apply: is missing path: ${path}`)
    let value: unknown = null
    if (Array.isArray(at.in) || Object.hasOwn(at.in, at.key))
      value = within(`error in test for path: '${path}'`, () => read(at.in, at.key))
    if (!jsonEqual(value, op.value ?? null)) failed()
  }

  #copy(op: JSONPatchOperation): void {
    const from = fromOf(op, "copy")
    const source = this.#find(from)
    if (!source) return missing(`copy operation does not apply: doc is missing from path: ${from}`)
    const value = within(`error in copy for from: '${from}'`, () => read(source.in, source.key))
    const path = pathOf(op, "copy")
    const at = this.#find(path)
    if (!at) return missing(`copy operation does not apply: doc is missing destination path: ${path}`)
    this.#copied += value === null ? 4 : byteLength(JSON.stringify(value))
    if (this.#copied > maxJSONPatchCopyBytes) {
      return fail(
        `Unable to complete the copy, the accumulated size increase of copy is ${this.#copied}, ` +
          `exceeding the limit ${maxJSONPatchCopyBytes}`,
      )
    }
    within("error while adding value during copy", () => insert(at.in, at.key, jsonClone(value)))
  }

  /** The container that holds the last part of `path`, made ours to change; undefined when the path does not lead there. */
  #find(path: string): { in: Container; key: string } | undefined {
    const parts = path.split("/")
    if (parts.length < 2) return undefined
    let container = this.#owned(this.doc, (copy) => (this.doc = copy))
    for (let i = 1; container && i < parts.length - 1; i++) {
      const parent: Container = container
      const key = unescape(parts[i]!)
      if (Array.isArray(parent)) {
        let index: number
        try {
          index = indexIn(key, parent.length, parent.length)
        } catch {
          return undefined
        }
        container = this.#owned(parent[index], (copy) => (parent[index] = copy))
      } else {
        if (!Object.hasOwn(parent, key)) return undefined
        container = this.#owned(parent[key], (copy) => setField(parent, key, copy))
      }
    }
    return container && { in: container, key: unescape(parts[parts.length - 1]!) }
  }

  #owned(value: unknown, put: (copy: Container) => void): Container | undefined {
    if (typeof value !== "object" || value === null) return undefined
    if (this.#own.has(value)) return value as Container
    const copy: Container = Array.isArray(value) ? value.slice() : { ...value }
    this.#own.add(copy)
    put(copy)
    return copy
  }
}

function pathOf(op: JSONPatchOperation, kind: string): string {
  if (typeof op.path === "string") return op.path
  return missing(`${kind} operation failed to decode path`)
}

function fromOf(op: JSONPatchOperation, kind: string): string {
  if (typeof op.from === "string") return op.from
  return missing(`${kind} operation failed to decode from`)
}

function within<T>(what: string, fn: () => T): T {
  try {
    return fn()
  } catch (thrown) {
    if (thrown instanceof PatchError) fail(`${what}: ${thrown.message}`)
    throw thrown
  }
}

function unescape(part: string): string {
  return part.includes("~") ? part.replaceAll("~1", "/").replaceAll("~0", "~") : part
}

function atoi(text: string): number {
  if (/^[+-]?\d{1,15}$/.test(text)) return Number(text)
  return fail(
    `strconv.Atoi: parsing ${goQuote(text)}: ${/^[+-]?\d+$/.test(text) ? "value out of range" : "invalid syntax"}`,
  )
}

/** `key` as an index below `bound`; negative ones count from `from`. */
function indexIn(key: string, bound: number, from: number): number {
  const index = atoi(key)
  if (index >= bound || index < -from)
    fail(`Unable to access invalid index: ${index}: invalid index referenced`)
  return index < 0 ? index + from : index
}

function read(container: Container, key: string): unknown {
  if (Array.isArray(container)) return container[indexIn(key, container.length, container.length)]
  // What an object does not have reads as null: upstream replaces and copies it without complaint.
  return Object.hasOwn(container, key) ? container[key] : null
}

function insert(container: Container, key: string, value: unknown): void {
  if (!Array.isArray(container)) return setField(container, key, value)
  if (key === "-") {
    container.push(value)
    return
  }
  const size = container.length + 1
  const index = within(`value was not a proper array index: '${key}'`, () => atoi(key))
  if (index >= size || index < -size)
    fail(`Unable to access invalid index: ${index}: invalid index referenced`)
  container.splice(index < 0 ? index + size : index, 0, value)
}

function take(container: Container, key: string): void {
  if (Array.isArray(container)) container.splice(indexIn(key, container.length, container.length), 1)
  else {
    if (!Object.hasOwn(container, key)) missing(`Unable to remove nonexistent key: ${key}`)
    delete container[key]
  }
}
