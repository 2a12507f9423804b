/** The operations on a kind's paths, as OpenAPI of version 2 or 3. */
import type { Kind, Subresource } from "@knarr/apimachinery"
import { nameOf, type Json, type SchemaCollector } from "./openapi-schemas.ts"

const meta = "io.k8s.apimachinery.pkg.apis.meta.v1"

interface Parameter {
  readonly name: string
  readonly in: "query" | "path"
  readonly type: "string" | "boolean" | "integer"
  readonly description: string
}

const query = (name: string, type: Parameter["type"], description: string): Parameter => ({
  name,
  in: "query",
  type,
  description,
})

const pretty = query("pretty", "string", "If 'true', then the output is pretty printed.")
const dryRun = query(
  "dryRun",
  "string",
  "When present, indicates that modifications should not be persisted. Valid values are: - All: all dry run stages will be processed",
)
const fieldManager = query(
  "fieldManager",
  "string",
  "fieldManager is a name associated with the actor or entity that is making these changes.",
)
const fieldValidation = query(
  "fieldValidation",
  "string",
  "fieldValidation instructs the server on how to handle objects in the request (POST/PUT/PATCH) containing unknown or duplicate fields. Valid values are: Ignore, Warn, Strict.",
)
const force = query(
  "force",
  "boolean",
  'Force is going to "force" Apply requests: conflicting fields owned by other people are acquired.',
)
const listing: readonly Parameter[] = [
  query("allowWatchBookmarks", "boolean", 'allowWatchBookmarks requests watch events with type "BOOKMARK".'),
  query(
    "continue",
    "string",
    "The continue option should be set when retrieving more results from the server.",
  ),
  query("fieldSelector", "string", "A selector to restrict the list of returned objects by their fields."),
  query("labelSelector", "string", "A selector to restrict the list of returned objects by their labels."),
  query("limit", "integer", "limit is a maximum number of responses to return for a list call."),
  query(
    "resourceVersion",
    "string",
    "resourceVersion sets a constraint on what resource versions a request may be served from.",
  ),
  query(
    "resourceVersionMatch",
    "string",
    "resourceVersionMatch determines how resourceVersion is applied to list calls.",
  ),
  query("sendInitialEvents", "boolean", "`sendInitialEvents=true` may be set together with `watch=true`."),
  query("timeoutSeconds", "integer", "Timeout for the list/watch call."),
  query(
    "watch",
    "boolean",
    "Watch for changes to the described resources and return them as a stream of add, update, and remove notifications.",
  ),
]
const deletion: readonly Parameter[] = [
  dryRun,
  query("gracePeriodSeconds", "integer", "The duration in seconds before the object should be deleted."),
  query("orphanDependents", "boolean", "Deprecated: please use the PropagationPolicy."),
  query(
    "propagationPolicy",
    "string",
    "Whether and how garbage collection will be performed: Orphan, Background or Foreground.",
  ),
]

const patchTypes = [
  "application/apply-patch+yaml",
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
]
const mediaTypes = ["application/json", "application/vnd.kubernetes.protobuf", "application/yaml"]

interface Operation {
  readonly id: string
  readonly action: string
  readonly description: string
  readonly parameters: readonly Parameter[]
  readonly body?: { readonly schema: Json; readonly types: readonly string[]; readonly required: boolean }
  readonly answers: Readonly<Record<string, Json | undefined>>
  readonly gvk: Json
}

export class PathWriter {
  readonly #version: 2 | 3
  readonly #schemas: SchemaCollector
  readonly #kinds: readonly Kind[]
  readonly paths: Json = {}

  constructor(version: 2 | 3, schemas: SchemaCollector, kinds: readonly Kind[]) {
    this.#version = version
    this.#schemas = schemas
    this.#kinds = kinds
  }

  /** Adds every path of a kind. */
  add(kind: Kind): void {
    const root = kind.group === "" ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`
    const base = kind.namespaced ? `${root}/namespaces/{namespace}/${kind.plural}` : `${root}/${kind.plural}`
    const schema = this.#schemas.kind(kind)
    const scope = kind.namespaced ? "Namespaced" : ""
    const gvk = { group: kind.group, kind: kind.kind, version: kind.version }
    const id = (verb: string, tail = ""): string =>
      `${verb}${groupTitle(kind.group)}${title(kind.version)}${scope}${kind.kind}${tail}`
    const has = (verb: string): boolean => (kind.verbs as readonly string[]).includes(verb)
    const collection: Json = {}
    if (has("list"))
      collection["get"] = this.#operation({
        id: id("list"),
        action: "list",
        description: `list or watch objects of kind ${kind.kind}`,
        parameters: listing,
        answers: { 200: this.#schemas.listOf(kind) },
        gvk,
      })
    if (has("create"))
      collection["post"] = this.#operation({
        id: id("create"),
        action: "post",
        description: `create a ${kind.kind}`,
        parameters: [dryRun, fieldManager, fieldValidation],
        body: { schema, types: ["*/*"], required: true },
        answers: { 200: schema, 201: schema, 202: schema },
        gvk,
      })
    if (has("deletecollection"))
      collection["delete"] = this.#operation({
        id: `delete${groupTitle(kind.group)}${title(kind.version)}Collection${scope}${kind.kind}`,
        action: "deletecollection",
        description: `delete collection of ${kind.kind}`,
        parameters: [
          ...deletion,
          ...listing.filter((p) => p.name !== "watch" && p.name !== "allowWatchBookmarks"),
        ],
        body: { schema: this.#schemas.ref(`${meta}.DeleteOptions`), types: ["*/*"], required: false },
        answers: { 200: this.#schemas.ref(`${meta}.Status`) },
        gvk,
      })
    const shared = kind.namespaced
      ? [this.#parameter(namespaceParameter), this.#parameter(pretty)]
      : [this.#parameter(pretty)]
    if (Object.keys(collection).length > 0) this.paths[base] = { ...collection, parameters: shared }
    if (kind.namespaced && has("list"))
      this.paths[`${root}/${kind.plural}`] = {
        get: this.#operation({
          id: `list${groupTitle(kind.group)}${title(kind.version)}${kind.kind}ForAllNamespaces`,
          action: "list",
          description: `list or watch objects of kind ${kind.kind}`,
          parameters: [],
          answers: { 200: this.#schemas.listOf(kind) },
          gvk,
        }),
        parameters: [...listing, pretty].map((p) => this.#parameter(p)),
      }
    const one: Json = {}
    if (has("get"))
      one["get"] = this.#operation({
        id: id("read"),
        action: "get",
        description: `read the specified ${kind.kind}`,
        parameters: [],
        answers: { 200: schema },
        gvk,
      })
    if (has("update"))
      one["put"] = this.#operation({
        id: id("replace"),
        action: "put",
        description: `replace the specified ${kind.kind}`,
        parameters: [dryRun, fieldManager, fieldValidation],
        body: { schema, types: ["*/*"], required: true },
        answers: { 200: schema, 201: schema },
        gvk,
      })
    if (has("delete"))
      one["delete"] = this.#operation({
        id: id("delete"),
        action: "delete",
        description: `delete a ${kind.kind}`,
        parameters: deletion,
        body: { schema: this.#schemas.ref(`${meta}.DeleteOptions`), types: ["*/*"], required: false },
        answers: { 200: this.#schemas.ref(`${meta}.Status`), 202: this.#schemas.ref(`${meta}.Status`) },
        gvk,
      })
    if (has("patch"))
      one["patch"] = this.#patch(id("patch"), `partially update the specified ${kind.kind}`, schema, gvk)
    const named = [this.#parameter(nameParameter(kind.kind)), ...shared]
    if (Object.keys(one).length > 0) this.paths[`${base}/{name}`] = { ...one, parameters: named }
    for (const sub of kind.subresources.values())
      this.#subresource(kind, sub, `${base}/{name}/${sub.name}`, named, id)
  }

  #subresource(
    kind: Kind,
    sub: Subresource,
    path: string,
    parameters: Json[],
    id: (verb: string, tail?: string) => string,
  ): void {
    const tail = title(sub.name)
    const of = sub.kind ?? kind
    const found = this.#kinds.find(
      (k) => k.group === of.group && k.version === of.version && k.kind === of.kind,
    )
    const schema: Json = found ? this.#schemas.kind(found) : { type: "string" }
    const gvk = { group: of.group, kind: of.kind, version: of.version }
    const what = `${sub.name} of the specified ${kind.kind}`
    const item: Json = {}
    for (const verb of sub.verbs) {
      if (!found) {
        const method = verb === "create" ? "post" : verb === "update" ? "put" : verb
        item[method] = this.#operation({
          id: id("connect", tail) + title(method),
          action: "connect",
          description: `connect ${method.toUpperCase()} requests to ${what}`,
          parameters: [],
          answers: { 200: schema },
          gvk,
        })
      } else if (verb === "get")
        item["get"] = this.#operation({
          id: id("read", tail),
          action: "get",
          description: `read ${what}`,
          parameters: [],
          answers: { 200: sub.name === "log" ? { type: "string" } : schema },
          gvk,
        })
      else if (verb === "create")
        item["post"] = this.#operation({
          id: id("create", tail),
          action: "post",
          description: `create ${what}`,
          parameters: [dryRun, fieldManager, fieldValidation],
          body: { schema, types: ["*/*"], required: true },
          answers: { 200: schema, 201: schema, 202: schema },
          gvk,
        })
      else if (verb === "update")
        item["put"] = this.#operation({
          id: id("replace", tail),
          action: "put",
          description: `replace ${what}`,
          parameters: [dryRun, fieldManager, fieldValidation],
          body: { schema, types: ["*/*"], required: true },
          answers: { 200: schema, 201: schema },
          gvk,
        })
      else if (verb === "patch")
        item["patch"] = this.#patch(id("patch", tail), `partially update ${what}`, schema, gvk)
    }
    this.paths[path] = { ...item, parameters }
  }

  #patch(id: string, description: string, schema: Json, gvk: Json): Json {
    return this.#operation({
      id,
      action: "patch",
      description,
      parameters: [dryRun, fieldManager, fieldValidation, force],
      body: { schema: this.#schemas.ref(`${meta}.Patch`), types: patchTypes, required: true },
      answers: { 200: schema, 201: schema },
      gvk,
    })
  }

  #parameter(p: Parameter): Json {
    const { name, in: where, type, description } = p
    const type2 = { type, uniqueItems: true }
    return {
      name,
      in: where,
      description,
      ...(where === "path" ? { required: true } : {}),
      ...(this.#version === 3 ? { schema: type2 } : type2),
    }
  }

  #operation(o: Operation): Json {
    const responses: Json = {}
    for (const code in o.answers) {
      const description = code === "200" ? "OK" : code === "201" ? "Created" : "Accepted"
      const schema = o.answers[code]
      responses[code] =
        this.#version === 3
          ? { description, content: Object.fromEntries(mediaTypes.map((type) => [type, { schema }])) }
          : { description, schema }
    }
    responses["401"] = { description: "Unauthorized" }
    const parameters = o.parameters.map((p) => this.#parameter(p))
    const out: Json = { description: o.description, operationId: o.id }
    if (this.#version === 2) {
      out["consumes"] = o.body?.types ?? ["*/*"]
      out["produces"] = mediaTypes
      out["schemes"] = ["https"]
      if (o.body)
        parameters.push({
          name: "body",
          in: "body",
          ...(o.body.required ? { required: true } : {}),
          schema: o.body.schema,
        })
    } else if (o.body) {
      const content = Object.fromEntries(o.body.types.map((type) => [type, { schema: o.body!.schema }]))
      out["requestBody"] = o.body.required ? { content, required: true } : { content }
    }
    if (parameters.length > 0) out["parameters"] = parameters
    out["responses"] = responses
    out["x-kubernetes-action"] = o.action
    out["x-kubernetes-group-version-kind"] = o.gvk
    return out
  }
}

const namespaceParameter: Parameter = {
  name: "namespace",
  in: "path",
  type: "string",
  description: "object name and auth scope, such as for teams and projects",
}

function nameParameter(kind: string): Parameter {
  return { name: "name", in: "path", type: "string", description: `name of the ${kind}` }
}

function title(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** `rbac.authorization.k8s.io` is `RbacAuthorization`. */
function groupTitle(group: string): string {
  if (group === "") return "Core"
  return group
    .replace(/\.k8s\.io$/, "")
    .split(".")
    .map(title)
    .join("")
}

export { nameOf }
