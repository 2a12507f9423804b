/** Reads the options of a request out of its query. Mirrors: apimachinery meta/v1 conversion of url.Values */
import {
  badRequest,
  escapeFieldValue,
  field,
  type FieldError,
  goQuote,
  invalid,
  validateFieldManager,
} from "@knarr/apimachinery"
import type { RequestContext } from "../../contract.ts"
import { managerOfAgent } from "../../registry/manager.ts"
import type { FieldValidation } from "../../registry/patch.ts"
import type { ListQuery } from "../../registry/list.ts"
import type { DeletionOptions, WriteRequest } from "../../registry/request.ts"
import type { WatchQuery } from "../../registry/watch.ts"

function integer(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  const fail = (why: string): Error => badRequest(`strconv.ParseInt: parsing ${goQuote(text)}: ${why}`)
  if (!/^[+-]?\d+$/.test(text)) throw fail("invalid syntax")
  const value = BigInt(text.replace(/^\+/, ""))
  if (value !== BigInt.asIntN(64, value)) throw fail("value out of range")
  return Number(value)
}

/** Like upstream, anything but these words is true. */
function boolean(query: URLSearchParams, name: string): boolean | undefined {
  const text = query.get(name)
  if (text === null) return undefined
  return text !== "0" && text.toLowerCase() !== "false"
}

function text(query: URLSearchParams, name: string): string | undefined {
  return query.get(name) || undefined
}

/** Options of lists and watches; the namespace comes from the path. */
export function listQuery(query: URLSearchParams, namespace: string, name: string): ListQuery & WatchQuery {
  let fieldSelector = text(query, "fieldSelector")
  if (name !== "") {
    const exact = `metadata.name=${escapeFieldValue(name)}`
    fieldSelector = fieldSelector ? `${fieldSelector},${exact}` : exact
  }
  return {
    namespace,
    labelSelector: text(query, "labelSelector"),
    fieldSelector,
    limit: integer(query, "limit"),
    continue: text(query, "continue"),
    resourceVersion: text(query, "resourceVersion"),
    resourceVersionMatch: text(query, "resourceVersionMatch"),
    sendInitialEvents: boolean(query, "sendInitialEvents"),
    allowWatchBookmarks: boolean(query, "allowWatchBookmarks"),
    timeoutSeconds: integer(query, "timeoutSeconds"),
  }
}

export type WriteOptionsKind = "CreateOptions" | "UpdateOptions" | "PatchOptions" | "DeleteOptions"

/** Options of a write. Throws 422 in upstream's words. */
export function writeRequest(
  query: URLSearchParams,
  ctx: RequestContext,
  kind: WriteOptionsKind,
  apply = false,
): { request: WriteRequest; fieldValidation: FieldValidation; force: boolean | undefined } {
  const dryRun = query.getAll("dryRun")
  const fieldManager = query.get("fieldManager") ?? ""
  const fieldValidation = query.get("fieldValidation") ?? ""
  const force = boolean(query, "force")
  const errors: FieldError[] = []
  if (kind === "PatchOptions") {
    if (apply && fieldManager === "") {
      errors.push(field.required("fieldManager", "is required for apply patch"))
    }
    if (!apply && force !== undefined) {
      errors.push(field.forbidden("force", "may not be specified for non-apply patch"))
    }
  }
  if (fieldManager !== "") errors.push(...validateFieldManager(fieldManager, "fieldManager"))
  errors.push(...validateDryRun(dryRun))
  if (fieldValidation !== "" && !["Ignore", "Warn", "Strict"].includes(fieldValidation)) {
    errors.push(field.notSupported("fieldValidation", fieldValidation, ["", "Ignore", "Strict", "Warn"]))
  }
  if (errors.length > 0) throw invalid({ group: "meta.k8s.io", kind }, "", errors)
  const { audit } = ctx
  const options: Record<string, unknown> = { kind, apiVersion: "meta.k8s.io/v1" }
  if (dryRun.length > 0) options.dryRun = dryRun
  if (fieldManager !== "") options.fieldManager = fieldManager
  if (fieldValidation !== "") options.fieldValidation = fieldValidation
  if (force !== undefined) options.force = force
  return {
    request: {
      user: ctx.user,
      fieldManager: fieldManager || managerOfAgent(ctx.userAgent),
      dryRun: dryRun.length > 0,
      options,
      warnings: ctx.warnings,
      signal: ctx.signal,
      ...(audit ? { annotate: audit.annotate } : {}),
    },
    fieldValidation: (fieldValidation || "Warn") as FieldValidation,
    force,
  }
}

export function validateDryRun(dryRun: readonly string[]): FieldError[] {
  return dryRun
    .filter((value) => value !== "All")
    .slice(0, 1)
    .map(() => field.notSupported("dryRun", dryRun, ["All"]))
}

/** Options of a delete: from the body when there is one, else from the query. */
export function deletionOptions(query: URLSearchParams): DeletionOptions {
  const options: DeletionOptions = {}
  const grace = integer(query, "gracePeriodSeconds")
  if (grace !== undefined) options.gracePeriodSeconds = grace
  const orphan = boolean(query, "orphanDependents")
  if (orphan !== undefined) options.orphanDependents = orphan
  const unreadable = boolean(query, "ignoreStoreReadErrorWithClusterBreakingPotential")
  if (unreadable !== undefined) options.ignoreStoreReadErrorWithClusterBreakingPotential = unreadable
  const policy = query.get("propagationPolicy")
  if (policy !== null) options.propagationPolicy = policy
  return options
}
