/**
 * When two kinds are the same: by what they are called, never by which object says so. A kind that was found in
 * discovery is another object than the declared one, and each asking may make a new one.
 * Mirrors: apimachinery pkg/runtime/schema/group_version.go
 */

interface Named {
  readonly group: string
  readonly version: string
  readonly kind: string
}

interface Resource {
  readonly group: string
  readonly plural: string
}

/** The same group, version and kind. */
export function sameKind(a: Named, b: Named): boolean {
  return a === b || (a.kind === b.kind && a.version === b.version && a.group === b.group)
}

/** The same group and resource: all versions of a kind are one resource, with the same objects. */
export function sameResource(a: Resource, b: Resource): boolean {
  return a === b || (a.plural === b.plural && a.group === b.group)
}
