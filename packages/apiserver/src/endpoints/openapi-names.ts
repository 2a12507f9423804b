/** What operations are called in OpenAPI. Mirrors: kubernetes apiserver pkg/endpoints/openapi GetOperationIDAndTags */
import type { Kind } from "@knarr/apimachinery"
import type { Json } from "./openapi-schemas.ts"

/** The names of a kind's operations: verb, group, version, scope, kind and what follows. */
export class OperationNames {
  readonly tag: string
  readonly gvk: Json
  readonly root: string
  readonly #groupVersion: string
  readonly #kind: Kind

  constructor(kind: Kind) {
    this.#kind = kind
    this.gvk = { group: kind.group, kind: kind.kind, version: kind.version }
    this.root = kind.group === "" ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`
    this.tag = tagOf(kind.group, kind.version)
    this.#groupVersion = `${title(tagOf(kind.group))}${title(kind.version)}`
  }

  id(verb: string, tail = "", before = ""): string {
    return `${verb}${this.#groupVersion}${before}${this.#kind.namespaced ? "Namespaced" : ""}${this.#kind.kind}${tail}`
  }

  ofAll(verb: string, tail = ""): string {
    return `${verb}${this.#groupVersion}${this.#kind.kind}${tail}ForAllNamespaces`
  }
}

/** `rbac.authorization.k8s.io` is `rbacAuthorization`. */
export function tagOf(group: string, version?: string): string {
  const [first, ...others] = group.replace(/\.k8s\.io$/, "").split(".")
  const name = group === "" ? "core" : first! + others.map(title).join("")
  return version === undefined ? name : `${name}_${version}`
}

export function title(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

export function article(noun: string): string {
  return /^[AEIOU]/i.test(noun) ? "an" : "a"
}
