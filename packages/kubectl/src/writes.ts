/** Writing objects: create, replace, patch, each with its field manager, dry run and validation. */
import { goQuote } from "@knarr/apimachinery"
import { resourcePath, type ApiClient, type Query } from "./api-client.ts"
import type { CommandContext } from "./command.ts"
import type { ApiResource } from "./api-resource.ts"
import type { Obj } from "./object.ts"
import type { DryRun } from "./printers/printer.ts"

export type PatchForm = "strategic" | "merge" | "json" | "apply"

export const patchContentTypes: Readonly<Record<PatchForm, string>> = {
  strategic: "application/strategic-merge-patch+json",
  merge: "application/merge-patch+json",
  json: "application/json-patch+json",
  apply: "application/apply-patch+yaml",
}

/** Where an object is. */
export interface Place {
  readonly resource: ApiResource
  readonly namespace: string
  readonly name: string
}

export interface WriteOptions {
  readonly fieldManager?: string
  readonly dryRun?: DryRun
  readonly validation?: string
  readonly subresource?: string
  readonly force?: boolean
}

function writeQuery(options: WriteOptions): Query {
  return {
    dryRun: options.dryRun === "server" ? "All" : undefined,
    fieldManager: options.fieldManager,
    fieldValidation: options.validation,
    force: options.force,
  }
}

/** `--validate` as the server's field validation. Throws with upstream's message. */
export function validationOf(ctx: CommandContext): string {
  const value = ctx.flags.text("validate")
  switch (value) {
    case "":
    case "true":
    case "strict":
      return "Strict"
    case "warn":
      return "Warn"
    case "false":
    case "ignore":
      return "Ignore"
    default:
      throw new Error(`invalid - validate option ${goQuote(value)}`)
  }
}

export function createObject(
  api: ApiClient,
  place: Omit<Place, "name">,
  object: Obj,
  options: WriteOptions = {},
): Promise<Obj> {
  const path = resourcePath(place.resource, place.namespace)
  return api.json("POST", path, { body: object, query: writeQuery(options) })
}

export function replaceObject(
  api: ApiClient,
  place: Place,
  object: Obj,
  options: WriteOptions = {},
): Promise<Obj> {
  const path = resourcePath(place.resource, place.namespace, place.name, options.subresource)
  return api.json("PUT", path, { body: object, query: writeQuery(options) })
}

export function patchObject(
  api: ApiClient,
  place: Place,
  form: PatchForm,
  patch: unknown,
  options: WriteOptions = {},
): Promise<Obj> {
  const path = resourcePath(place.resource, place.namespace, place.name, options.subresource)
  return api.json("PATCH", path, {
    body: patch,
    contentType: patchContentTypes[form],
    query: { ...writeQuery(options), force: form === "apply" ? String(options.force === true) : undefined },
  })
}
