/** Defaults of a CustomResourceDefinition. Mirrors: apiextensions pkg/apis/apiextensions/v1/defaults.go */
import type { CustomResourceDefinition } from "./types.gen.ts"

export function setDefinitionDefaults({ spec, status }: CustomResourceDefinition): void {
  spec.names.singular ||= (spec.names.kind ?? "").toLowerCase()
  if (spec.names.kind) spec.names.listKind ||= `${spec.names.kind}List`
  spec.conversion ??= { strategy: "None" }
  const { webhook } = spec.conversion
  if (webhook?.clientConfig?.service) webhook.clientConfig.service.port ??= 443
  if (!status.storedVersions?.length) {
    const stored = spec.versions?.find(({ storage }) => storage)
    if (stored) status.storedVersions = [stored.name]
  }
}
