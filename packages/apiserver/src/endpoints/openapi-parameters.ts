/**
 * The parameters of operations in OpenAPI, and what becomes of those that several share.
 * Mirrors: kube-openapi pkg/builder/parameters.go, apiserver pkg/endpoints/installer.go AddObjectParams
 */
import type { Json } from "./openapi-schemas.ts"

export interface Parameter {
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
const path = (name: string, description: string): Parameter => ({
  name,
  in: "path",
  type: "string",
  description,
})

export const pretty = query("pretty", "string", "If 'true', then the output is pretty printed.")
export const namespaceParameter = path(
  "namespace",
  "object name and auth scope, such as for teams and projects",
)
export const pathParameter = path("path", "path to the resource")

export function nameParameter(kind: string): Parameter {
  return path("name", `name of the ${kind}`)
}

const dryRun = query(
  "dryRun",
  "string",
  "When present, indicates that modifications should not be persisted. Valid values are: - All: all dry run stages will be processed",
)
export const writing: readonly Parameter[] = [
  dryRun,
  query(
    "fieldManager",
    "string",
    "fieldManager is a name associated with the actor or entity that is making these changes.",
  ),
  query(
    "fieldValidation",
    "string",
    "fieldValidation instructs the server on how to handle objects in the request (POST/PUT/PATCH) containing unknown or duplicate fields. Valid values are: Ignore, Warn, Strict.",
  ),
]
export const patching: readonly Parameter[] = [
  ...writing,
  query(
    "force",
    "boolean",
    'Force is going to "force" Apply requests: conflicting fields owned by other people are acquired.',
  ),
]
export const listing: readonly Parameter[] = [
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
  query("shardSelector", "string", "shardSelector restricts the list of returned objects to a shard."),
  query("timeoutSeconds", "integer", "Timeout for the list/watch call."),
  query(
    "watch",
    "boolean",
    "Watch for changes to the described resources and return them as a stream of add, update, and remove notifications.",
  ),
]
export const deletion: readonly Parameter[] = [
  dryRun,
  query("gracePeriodSeconds", "integer", "The duration in seconds before the object should be deleted."),
  query(
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "boolean",
    "If set to true, it will trigger an unsafe deletion of a resource that cannot be read from the store.",
  ),
  query("orphanDependents", "boolean", "Deprecated: please use the PropagationPolicy."),
  query(
    "propagationPolicy",
    "string",
    "Whether and how garbage collection will be performed: Orphan, Background or Foreground.",
  ),
]
export const collectionDeletion: readonly Parameter[] = [
  ...deletion,
  ...listing.filter(({ name }) => name !== "watch" && name !== "allowWatchBookmarks"),
]

const container = (what: string): Parameter =>
  query("container", "string", `The container ${what}. Defaults to the only container of the pod.`)
const streams: readonly Parameter[] = [
  query("stderr", "boolean", "Whether the standard error is wanted."),
  query("stdin", "boolean", "Whether the standard input is sent."),
  query("stdout", "boolean", "Whether the standard output is wanted."),
  query("tty", "boolean", "Whether a terminal is allocated."),
]

/** What the options of a subresource are made of, by their kind; `PodLogOptions` are those of `log`. */
export const optionsOf: Readonly<Partial<Record<string, readonly Parameter[]>>> = {
  PodAttachOptions: [container("to attach to"), ...streams],
  PodExecOptions: [
    query("command", "string", "The command to run, an argument at a time, without a shell."),
    container("to run the command in"),
    ...streams,
  ],
  PodPortForwardOptions: [query("ports", "integer", "The ports to forward to.")],
  PodProxyOptions: [query("path", "string", "The path that the pod is asked for.")],
  ServiceProxyOptions: [query("path", "string", "The path that the service is asked for.")],
  NodeProxyOptions: [query("path", "string", "The path that the node is asked for.")],
  PodLogOptions: [
    container("whose log is wanted"),
    query("follow", "boolean", "Whether the log is followed while it is written."),
    query(
      "insecureSkipTLSVerifyBackend",
      "boolean",
      "Whether the node's certificate is taken without a check.",
    ),
    query("limitBytes", "integer", "How many bytes are read at most."),
    query("previous", "boolean", "Whether the log of the container before the last restart is wanted."),
    query("sinceSeconds", "integer", "Only what was written in the last so many seconds."),
    query("stream", "string", 'Which stream: "All", "Stdout" or "Stderr".'),
    query("tailLines", "integer", "How many lines from the end."),
    query("timestamps", "boolean", "Whether each line begins with its time."),
  ],
}

export function sortedByName(parameters: readonly Parameter[]): Parameter[] {
  return parameters.toSorted((a, b) => compare(a.name, b.name) || compare(a.in, b.in))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** What every operation of a path takes is said once, for the path. */
export function commonParameters(operations: readonly (readonly Parameter[])[]): Parameter[] {
  const [first, ...others] = operations
  return (first ?? []).filter((one) => others.every((list) => list.some((other) => isSame(one, other))))
}

export function isSame(a: Parameter, b: Parameter): boolean {
  return a.name === b.name && a.in === b.in
}

/** The parameters of a document of version 2 that stand in one place, by their names there. */
export class SharedParameters {
  readonly #byText = new Map<string, string>()
  readonly definitions: Json = {}

  /** The parameter, or a reference to it: what depends on the kind, and what kubectl looks for, stays where it is. */
  use(parameter: Json): Json {
    const { name, in: where, schema } = parameter
    if (where !== "body" && (name === "name" || name === "dryRun" || name === "fieldValidation"))
      return parameter
    const ref = (schema as { $ref?: string } | undefined)?.$ref
    if (where === "body" && !ref?.startsWith("#/definitions/io.k8s.apimachinery")) return parameter
    const text = JSON.stringify(parameter)
    let key = this.#byText.get(text)
    if (key === undefined) {
      key = `${String(name)}-${shortHash(text)}`
      this.#byText.set(text, key)
      this.definitions[key] = parameter
    }
    return { $ref: `#/parameters/${key}` }
  }
}

/** FNV-1 of 64 bits, its first 6 bytes. */
function shortHash(text: string): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of Buffer.from(text)) hash = BigInt.asUintN(64, hash * 0x100000001b3n) ^ BigInt(byte)
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(hash)
  return bytes.subarray(0, 6).toString("base64url")
}
