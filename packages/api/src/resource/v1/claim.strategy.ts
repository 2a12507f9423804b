/** What becomes of fields of a claim whose features are off. Mirrors: pkg/registry/resource/resourceclaim/strategy.go (dropDisabledFields) */
import type { ResourceClaimSpec } from "./types.gen.ts"

/** Derived attributes go, unless the present object has them: they were stored by a server that knew them. */
export function dropDisabledClaimFields(spec: ResourceClaimSpec | undefined, old?: ResourceClaimSpec): void {
  if (wantedIn(old).some(({ derivedAttributes }) => derivedAttributes !== undefined)) return
  for (const wanted of wantedIn(spec)) delete wanted.derivedAttributes
}

function wantedIn(spec: ResourceClaimSpec | undefined): { derivedAttributes?: unknown }[] {
  return (spec?.devices?.requests ?? []).flatMap(({ exactly, firstAvailable }) => [
    ...(exactly ? [exactly] : []),
    ...(firstAvailable ?? []),
  ])
}
