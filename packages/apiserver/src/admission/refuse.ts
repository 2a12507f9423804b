/** How a plugin says no. Mirrors: apiserver pkg/admission/errors.go */
import { forbidden, type StatusCause, type StatusError } from "@knarr/apimachinery"
import type { AdmissionAttributes } from "../contract.ts"

/** The 403 about the request's object. */
export function refusal(a: AdmissionAttributes, why: string, causes?: StatusCause[]): StatusError {
  const name = a.name || a.object?.metadata.name || a.object?.metadata.generateName || ""
  const error = forbidden({ group: a.kind.group, resource: a.kind.plural }, name, why)
  if (causes) error.status.details!.causes = causes
  return error
}
