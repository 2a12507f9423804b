/**
 * What is asked of both servers: scripts, each a row of requests that stands alone, so that any choice of scripts
 * gives the same answers. Scripts are data; the same ones are made in every run.
 */

export type Body = string | { readonly [key: string]: unknown } | readonly unknown[] | number | boolean | null

/** A path into JSON, and the value to be put there; `undefined` takes what is there away. */
export type Edit = readonly [path: readonly (string | number)[], value?: unknown]

export interface Step {
  /** Says what is asked; one of its kind in its script. */
  readonly name: string
  readonly method: string
  /** With its query. `${x}` stands for what an earlier answer was remembered for, here and in `body`. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  /** Text is sent as it is, anything else as JSON. */
  readonly body?: Body
  /** The body is an earlier answer, remembered as a whole, with changes. */
  readonly from?: { readonly saved: string; readonly edits: readonly Edit[] }
  /** Remembers parts of the answer: name to path, "" for the whole. */
  readonly save?: Readonly<Record<string, string>>
  /** Set-up and clean-up: sent, not compared. */
  readonly quiet?: boolean
  /**
   * The answer is compared in pieces: the members of the objects at these paths ("" is the whole), each under its
   * name, or, in a list, under the `name` of its metadata.
   */
  readonly pieces?: readonly string[]
  /** Asked again, for up to 10 s, as long as the answer has this status: for what the server does by itself. */
  readonly whileStatus?: number
  /** And as long as this text is not in the answer. */
  readonly untilText?: string
  /** Lines of JSON: `# HELP` and `# TYPE` of metrics, each a piece. */
  readonly metrics?: boolean
}

export interface Script {
  readonly group: string
  /** The kind it is about, or a topic. */
  readonly name: string
  readonly steps: readonly Step[]
}

/** An answer as it came. */
export interface RawAnswer {
  readonly status: number
  readonly type: string
  readonly warnings: readonly string[]
  readonly body: string
}

export type GroupName =
  | "readonly"
  | "golden"
  | "minimal"
  | "onewrong"
  | "update"
  | "verbs"
  | "subresources"
  | "custom"
  | "policies"
  | "content"

export const json = { "content-type": "application/json" }
const patchHeaders = {
  json: { "content-type": "application/json-patch+json" },
  merge: { "content-type": "application/merge-patch+json" },
  strategic: { "content-type": "application/strategic-merge-patch+json" },
  apply: { "content-type": "application/apply-patch+yaml" },
} as const
export const tableHeaders = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" }
export const metadataHeaders = {
  accept: "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json",
}

export function get(name: string, path: string, headers?: Record<string, string>): Step {
  return headers ? { name, method: "GET", path, headers } : { name, method: "GET", path }
}

export function post(name: string, path: string, body: Body, headers: Record<string, string> = json): Step {
  return { name, method: "POST", path, headers, body }
}

export function put(name: string, path: string, body: Body): Step {
  return { name, method: "PUT", path, headers: json, body }
}

export function patch(name: string, path: string, type: keyof typeof patchHeaders, body: Body): Step {
  return { name, method: "PATCH", path, headers: patchHeaders[type], body }
}

export function remove(name: string, path: string, body?: Body): Step {
  return body === undefined
    ? { name, method: "DELETE", path }
    : { name, method: "DELETE", path, headers: json, body }
}

export function quiet(step: Step): Step {
  return { ...step, quiet: true }
}

/** A namespace with its service account, as no controller makes one here. */
export function namespaceSteps(name: string): Step[] {
  return [
    quiet(post("namespace", "/api/v1/namespaces", { metadata: { name } })),
    quiet(
      post("service account", `/api/v1/namespaces/${name}/serviceaccounts`, {
        metadata: { name: "default" },
      }),
    ),
  ]
}

/** A copy of `value` with `edits`. Objects and lists on the way are made when they are not there. */
export function edited(value: unknown, edits: readonly Edit[]): unknown {
  const copy: unknown = structuredClone(value)
  for (const [path, item] of edits) {
    let at = copy as Record<string | number, unknown>
    path.forEach((key, i) => {
      if (typeof at !== "object" || at === null) return
      if (i < path.length - 1) {
        at[key] ??= typeof path[i + 1] === "number" ? [] : {}
        at = at[key] as Record<string | number, unknown>
      } else if (item !== undefined) at[key] = item
      else if (Array.isArray(at)) at.splice(Number(key), 1)
      else delete at[key]
    })
  }
  return copy
}
