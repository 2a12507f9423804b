/** Names that are for configuration by files. Mirrors: pkg/apis/admissionregistration/validation/static_suffix.go */
import { field } from "@knarr/apimachinery"
import type { FieldError, KubeObject } from "@knarr/apimachinery"

const suffix = ".static.k8s.io"
const detail = `names ending with "${suffix}" are reserved for static manifest-based configurations and cannot be managed via the API`

/** A new object must not have such a name. */
export function validateReservedName(
  { metadata }: Readonly<KubeObject>,
  old: object | undefined,
): FieldError[] {
  return !old && metadata.name?.endsWith(suffix)
    ? [field.invalid("metadata.name", metadata.name, detail)]
    : []
}

/** An object that has such a name is told of it. */
export function reservedNameWarnings({ metadata }: Readonly<KubeObject>, old: object | undefined): string[] {
  return old && metadata.name?.endsWith(suffix) ? [`metadata.name: ${detail}`] : []
}
