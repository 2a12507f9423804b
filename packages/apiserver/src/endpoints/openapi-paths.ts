/**
 * The operations on a kind's paths, as OpenAPI of version 2 or 3.
 * Mirrors: apiserver pkg/endpoints/installer.go registerResourceHandlers
 */
import type { Kind, Subresource } from "@knarr/apimachinery"
import { customOperations, type Operation, type Operations } from "./openapi-custom.ts"
import { article, OperationNames, title } from "./openapi-names.ts"
import {
  collectionDeletion,
  commonParameters,
  deletion,
  isSame,
  listing,
  nameParameter,
  namespaceParameter,
  optionsOf,
  patching,
  pathParameter,
  pretty,
  SharedParameters,
  sortedByName,
  writing,
  type Parameter,
} from "./openapi-parameters.ts"
import type { Json, SchemaCollector } from "./openapi-schemas.ts"

const meta = "io.k8s.apimachinery.pkg.apis.meta.v1"
const patchTypes = [
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
  "application/apply-patch+yaml",
]
const mediaTypes: readonly string[] = [
  "application/json",
  "application/yaml",
  "application/vnd.kubernetes.protobuf",
]
const streamTypes: readonly string[] = [
  ...mediaTypes,
  "application/json;stream=watch",
  "application/vnd.kubernetes.protobuf;stream=watch",
]
const proxyMethods = ["get", "put", "post", "delete", "options", "head", "patch"]

const anyType: readonly string[] = ["*/*"]
const answerTexts: Readonly<Record<string, string>> = { 200: "OK", 201: "Created", 202: "Accepted" }

export class PathWriter {
  readonly #version: 2 | 3
  readonly #schemas: SchemaCollector
  readonly #kinds: readonly Kind[]
  readonly #shared = new SharedParameters()
  readonly paths: Json = {}

  constructor(version: 2 | 3, schemas: SchemaCollector, kinds: readonly Kind[]) {
    this.#version = version
    this.#schemas = schemas
    this.#kinds = kinds
  }

  /** Of version 2: what paths refer to. */
  get parameters(): Json {
    return Object.fromEntries(Object.entries(this.#shared.definitions).sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  /** Adds a path that is only read and tells of the server itself: `model` is a definition, or a plain text. */
  addRoot(
    path: string,
    id: string,
    tag: string,
    model: string | undefined,
    types?: { readonly consumes?: readonly string[]; readonly produces: readonly string[] },
  ): void {
    const get: Operation = {
      id,
      tag,
      description: id.replace(/([A-Z])/g, " $1").toLowerCase(),
      consumes: types ? (types.consumes ?? []) : mediaTypes,
      produces: types?.produces ?? mediaTypes,
      answers: { 200: model === undefined ? { type: "string" } : this.#schemas.ref(model) },
    }
    this.#put(path, { get }, [])
  }

  /** Adds every path of a kind. */
  add(kind: Kind): void {
    const names = new OperationNames(kind)
    const { root } = names
    const ofNamespace = kind.namespaced ? "namespaces/{namespace}/" : ""
    const schema = this.#schemas.kind(kind)
    // A definition is in the document only when a path refers to it.
    const ofMeta = (name: string): Json => this.#schemas.ref(`${meta}.${name}`)
    const deleteOptions = (): Operation["body"] => ({ schema: ofMeta("DeleteOptions"), required: false })
    const has = (verb: string): boolean => (kind.verbs as readonly string[]).includes(verb)
    const of = { tag: names.tag, gvk: names.gvk }
    const listOf = has("watch") ? "list or watch" : "list"
    const list = (id: string): Operation => ({
      ...of,
      id,
      action: "list",
      description: `${listOf} objects of kind ${kind.kind}`,
      parameters: listing,
      produces: streamTypes,
      answers: { 200: this.#schemas.listOf(kind) },
    })

    const collection: Operations = {}
    if (has("list")) collection["get"] = list(names.id("list"))
    if (has("create"))
      collection["post"] = {
        ...of,
        id: names.id("create"),
        action: "post",
        description: `create ${article(kind.kind)} ${kind.kind}`,
        parameters: writing,
        body: { schema, required: true },
        answers: { 200: schema, 201: schema, 202: schema },
      }
    if (has("deletecollection"))
      collection["delete"] = {
        ...of,
        id: names.id("delete", "", "Collection"),
        action: "deletecollection",
        description: `delete collection of ${kind.kind}`,
        parameters: collectionDeletion,
        body: deleteOptions(),
        answers: { 200: ofMeta("Status") },
      }
    const shared = kind.namespaced ? [namespaceParameter, pretty] : [pretty]
    const base = `${root}/${ofNamespace}${kind.plural}`
    const put = (path: string, operations: Operations, ofPath: readonly Parameter[]): void =>
      this.#put(path, kind.rules === "native" ? operations : customOperations(operations, names.gvk), ofPath)
    put(base, collection, shared)
    if (kind.namespaced && has("list"))
      put(`${root}/${kind.plural}`, { get: list(names.ofAll("list")) }, [pretty])

    const one: Operations = {}
    if (has("get"))
      one["get"] = {
        ...of,
        id: names.id("read"),
        action: "get",
        description: `read the specified ${kind.kind}`,
        answers: { 200: schema },
      }
    if (has("update"))
      one["put"] = {
        ...of,
        id: names.id("replace"),
        action: "put",
        description: `replace the specified ${kind.kind}`,
        parameters: writing,
        body: { schema, required: true },
        answers: { 200: schema, 201: schema },
      }
    if (has("delete")) {
      const deleted = kind.returnDeletedObject ? schema : ofMeta("Status")
      one["delete"] = {
        ...of,
        id: names.id("delete"),
        action: "delete",
        description: `delete ${article(kind.kind)} ${kind.kind}`,
        parameters: deletion,
        body: deleteOptions(),
        answers: { 200: deleted, 202: deleted },
      }
    }
    if (has("patch"))
      one["patch"] = {
        ...of,
        ...this.#patch(kind),
        id: names.id("patch"),
        description: `partially update the specified ${kind.kind}`,
        answers: { 200: schema, 201: schema },
      }
    const named = [nameParameter(kind.kind), ...shared]
    put(`${base}/{name}`, one, named)
    for (const sub of kind.subresources.values())
      this.#subresource(kind, names, sub, `${base}/{name}/${sub.name}`, named)

    if (!has("watch") || kind.rules !== "native") return
    const watch = (id: string, action: string): Operations => ({
      get: {
        ...of,
        id,
        action,
        description: `watch changes of ${kind.kind}. deprecated: use the 'watch' parameter with a list operation instead`,
        parameters: listing,
        produces: streamTypes,
        answers: { 200: ofMeta("WatchEvent") },
      },
    })
    this.#put(
      `${root}/watch/${ofNamespace}${kind.plural}`,
      watch(names.id("watch", "List"), "watchlist"),
      shared,
    )
    if (has("get"))
      this.#put(`${root}/watch/${ofNamespace}${kind.plural}/{name}`, watch(names.id("watch"), "watch"), named)
    if (kind.namespaced)
      this.#put(`${root}/watch/${kind.plural}`, watch(names.ofAll("watch", "List"), "watchlist"), [pretty])
  }

  #subresource(
    kind: Kind,
    names: OperationNames,
    sub: Subresource,
    path: string,
    shared: readonly Parameter[],
  ): void {
    const tail = title(sub.name)
    const of = sub.kind ?? kind
    const gvk = { group: of.group, kind: of.kind, version: of.version }
    const found = this.#kinds.find(
      (k) => k.group === of.group && k.version === of.version && k.kind === of.kind,
    )
    if (!found) return this.#connect(kind, names, sub, path, gvk)
    const schema = this.#schemas.kind(found)
    const common = { tag: names.tag, gvk }
    const operations: Operations = {}
    for (const verb of sub.verbs) {
      if (verb === "get")
        operations["get"] = {
          ...common,
          id: names.id("read", tail),
          action: "get",
          description: `read ${sub.name} of the specified ${kind.kind}`,
          ...(sub.name === "log"
            ? {
                parameters: optionsOf["PodLogOptions"]!,
                produces: ["text/plain", ...mediaTypes],
                answers: { 200: { type: "string" } },
              }
            : { answers: { 200: schema } }),
        }
      else if (verb === "create")
        operations["post"] = {
          ...common,
          id: names.id("create", tail),
          action: "post",
          description: `create ${sub.name} of ${article(kind.kind)} ${kind.kind}`,
          parameters: writing,
          body: { schema, required: true },
          answers: { 200: schema, 201: schema, 202: schema },
        }
      else if (verb === "update")
        operations["put"] = {
          ...common,
          id: names.id("replace", tail),
          action: "put",
          description: `replace ${sub.name} of the specified ${kind.kind}`,
          parameters: writing,
          body: { schema, required: true },
          answers: { 200: schema, 201: schema },
        }
      else if (verb === "patch")
        operations["patch"] = {
          ...common,
          ...this.#patch(kind),
          id: names.id("patch", tail),
          description: `partially update ${sub.name} of the specified ${kind.kind}`,
          answers: { 200: schema, 201: schema },
        }
    }
    this.#put(path, kind.rules === "native" ? operations : customOperations(operations, names.gvk), shared)
  }

  /** Paths behind which another server or a stream is. */
  #connect(kind: Kind, names: OperationNames, sub: Subresource, path: string, gvk: Json): void {
    const tail = title(sub.name)
    const options = optionsOf[gvk["kind"] as string] ?? []
    const shared = [nameParameter(gvk["kind"] as string), ...(kind.namespaced ? [namespaceParameter] : [])]
    const operations = (methods: readonly string[], suffix: string): Operations =>
      Object.fromEntries(
        methods.map((method) => [
          method,
          {
            tag: names.tag,
            gvk,
            id: names.id("connect", `${tail}${suffix}`, title(method)),
            action: "connect",
            description: `connect ${method.toUpperCase()} requests to ${sub.name} of ${kind.kind}`,
            parameters: options,
            produces: anyType,
            answers: { 200: { type: "string" } },
          },
        ]),
      )
    if (sub.name !== "proxy") return this.#put(path, operations(["get", "post"], ""), shared)
    this.#put(path, operations(proxyMethods, ""), shared)
    this.#put(`${path}/{path}`, operations(proxyMethods, "WithPath"), [...shared, pathParameter])
  }

  /** Custom kinds have no types by which lists could be merged. */
  #patch(kind: Kind): Pick<Operation, "action" | "parameters" | "consumes" | "body"> {
    return {
      action: "patch",
      parameters: patching,
      consumes:
        kind.rules === "structural" ? patchTypes.filter((type) => !type.includes("strategic")) : patchTypes,
      body: { schema: this.#schemas.ref(`${meta}.Patch`), required: true },
    }
  }

  /** `shared`: what every operation of the path takes beside its own. */
  #put(path: string, operations: Operations, shared: readonly Parameter[]): void {
    const list = Object.values(operations)
    if (list.length === 0) return
    const common = commonParameters(list.map(({ parameters }) => parameters ?? []))
    const item: Json = {}
    for (const method in operations) item[method] = this.#operation(operations[method]!, common)
    const ofPath = sortedByName([...shared, ...common]).map((one) => this.#parameter(one))
    if (ofPath.length > 0) item["parameters"] = ofPath
    this.paths[path] = item
  }

  #parameter({ name, in: where, type, description }: Parameter): Json {
    const required = where === "path" ? { required: true } : {}
    if (this.#version === 3)
      return { name, in: where, description, ...required, schema: { type, uniqueItems: true } }
    return this.#shared.use({ uniqueItems: true, type, description, name, in: where, ...required })
  }

  #operation(o: Operation, common: readonly Parameter[]): Json {
    const produces = o.produces ?? mediaTypes
    const responses: Json = {}
    for (const code in o.answers) {
      const schema = o.answers[code]!
      const description = answerTexts[code]
      responses[code] =
        this.#version === 3 ? { description, content: contentOf(produces, schema) } : { description, schema }
    }
    responses["401"] = { description: "Unauthorized" }
    const own = (o.parameters ?? []).filter((one) => !common.some((other) => isSame(one, other)))
    const parameters = sortedByName(own).map((one) => this.#parameter(one))
    const consumes = o.consumes ?? anyType
    const out: Json = { tags: [o.tag], description: o.description, operationId: o.id }
    if (this.#version === 2) {
      if (consumes.length > 0) out["consumes"] = consumes
      out["produces"] = produces
      out["schemes"] = ["https"]
      if (o.body) {
        const required = o.body.required ? { required: true } : {}
        // The only parameter before `body` in the alphabet is one of watches, which have none.
        parameters.unshift(this.#shared.use({ name: "body", in: "body", ...required, schema: o.body.schema }))
      }
    } else if (o.body) {
      const content = contentOf(consumes, o.body.schema)
      out["requestBody"] = o.body.required ? { content, required: true } : { content }
    }
    if (parameters.length > 0) out["parameters"] = parameters
    out["responses"] = responses
    if (o.action !== undefined) out["x-kubernetes-action"] = o.action
    if (o.gvk !== undefined) out["x-kubernetes-group-version-kind"] = o.gvk
    return out
  }
}

function contentOf(types: readonly string[], schema: Json): Json {
  return Object.fromEntries(types.toSorted().map((type) => [type, { schema }]))
}
