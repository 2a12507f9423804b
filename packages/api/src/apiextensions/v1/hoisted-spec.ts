/**
 * A definition as its rules see it: what all versions have in common is one for all of them.
 * Mirrors: apiextensions pkg/apis/apiextensions/v1/conversion.go
 */
import { semanticEqual } from "@knarr/apimachinery"
import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
  CustomResourceSubresources,
  CustomResourceValidation,
  SelectableField,
} from "./types.gen.ts"

export interface HoistedSpec {
  readonly schema?: CustomResourceValidation | undefined
  readonly subresources?: CustomResourceSubresources | undefined
  readonly additionalPrinterColumns?: readonly CustomResourceColumnDefinition[] | undefined
  readonly selectableFields?: readonly SelectableField[] | undefined
  readonly versions: readonly CustomResourceDefinitionVersion[]
}

const shared = ["schema", "subresources", "additionalPrinterColumns", "selectableFields"] as const

export function hoist(spec: CustomResourceDefinitionSpec): HoistedSpec {
  const versions = spec.versions ?? []
  const [first] = versions
  if (!first) return { versions }
  const same = shared.filter((name) => versions.every((version) => semanticEqual(version[name], first[name])))
  const own = versions.map((version) => {
    const rest = { ...version }
    for (const name of same) delete rest[name]
    return rest
  })
  return { ...Object.fromEntries(same.map((name) => [name, first[name]])), versions: own }
}
