/**
 * Operations as they are published, and what is otherwise where a definition made the kind: its documents come from another
 * part of the published server. Mirrors: apiextensions pkg/controller/openapi/builder/builder.go
 */
import { listing, type Parameter } from "./openapi-parameters.ts"
import type { Json } from "./openapi-schemas.ts"

export interface Operation {
  readonly id: string
  readonly tag: string
  readonly description: string
  readonly parameters?: readonly Parameter[]
  readonly consumes?: readonly string[]
  readonly produces?: readonly string[]
  readonly body?: { readonly schema: Json; readonly required: boolean } | undefined
  readonly answers: Readonly<Record<string, Json>>
  readonly action?: string
  readonly gvk?: Json
}

export type Operations = Record<string, Operation>

/** What documents of custom resources say about themselves. */
export const customInfo = { title: "Kubernetes CRD Swagger", version: "v0.1.0" }

const types: readonly string[] = ["application/json", "application/yaml"]
const reading = listing.filter(({ name }) => name === "resourceVersion")

/** The same operations on a custom resource of `gvk`. */
export function customOperations(operations: Operations, gvk: Json): Operations {
  return Object.fromEntries(
    Object.entries(operations).map(([method, operation]) => [method, customOperation(operation, gvk)]),
  )
}

function customOperation(operation: Operation, gvk: Json): Operation {
  const own = { ...operation, gvk, produces: types }
  switch (operation.action) {
    case "patch":
      return { ...own, answers: { 200: operation.answers[200]! } }
    case "deletecollection":
      return { ...own, consumes: types, parameters: listing, body: undefined }
    case "get":
      return { ...own, consumes: types, parameters: reading }
    default:
      return { ...own, consumes: types }
  }
}
