/** Validation of classes of devices. Mirrors: pkg/apis/resource/validation/validation.go (ValidateDeviceClass) */
import { field, isQualifiedName, semanticEqual } from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { reasons } from "../../checks.ts"
import { allProblems, eachOf, noProblems } from "./bounded-list.ts"
import { validateSelectors } from "./device-claim.validate.ts"
import { validateConfiguration } from "./device-config.validate.ts"
import type { DeviceClass } from "./types.gen.ts"

const maxConfigs = 32

export function validateDeviceClass(
  { spec }: Readonly<DeviceClass>,
  old?: Readonly<DeviceClass>,
): FieldError[] {
  const problems = noProblems()
  const sameSelectors = old !== undefined && semanticEqual(spec.selectors, old.spec.selectors)
  const sameConfig = old !== undefined && semanticEqual(spec.config, old.spec.config)
  validateSelectors(problems, "spec.selectors", spec.selectors, sameSelectors)
  eachOf(problems, "spec.config", spec.config, maxConfigs, (config, at) =>
    validateConfiguration(problems, at, config, sameConfig),
  )
  const name = spec.extendedResourceName
  if (name !== undefined) problems.declared.push(...validateExtended("spec.extendedResourceName", name))
  return allProblems(problems)
}

function validateExtended(path: string, name: string): FieldError[] {
  const out: FieldError[] = []
  if (!name.includes("/"))
    out.push(
      field.invalid(path, name, "a name must be a domain-prefixed path, such as 'example.com/my-prop'"),
    )
  else if (name.includes("kubernetes.io/"))
    out.push(field.invalid(path, name, 'must not have "kubernetes.io/" domain'))
  if (name.startsWith("requests.")) out.push(field.invalid(path, name, 'must not have "requests." prefix'))
  return [...out, ...reasons(path, name, isQualifiedName(`requests.${name}`))]
}
