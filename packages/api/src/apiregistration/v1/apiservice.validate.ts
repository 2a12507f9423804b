/** Validation of API services. Mirrors: kube-aggregator pkg/apis/apiregistration/validation/validation.go */
import {
  field,
  goQuote,
  isDNS1035Label,
  isDNS1123Subdomain,
  isPathSegmentName,
  isValidPortNum,
} from "@knarr/apimachinery"
import type { FieldError } from "@knarr/apimachinery"
import { reasons, required } from "../../checks.ts"
import type { APIService } from "./types.gen.ts"

/** An API service is called after what it serves. */
export function nameOfAPIService(name: string, _prefix: boolean, { spec }: Readonly<APIService>): string[] {
  const problems = isPathSegmentName(name)
  const expected = `${spec.version ?? ""}.${spec.group ?? ""}`
  if (problems.length > 0 || name === expected) return problems
  return [`must be \`spec.version+"."+spec.group\`: ${goQuote(expected)}`]
}

export function validateAPIService({ spec }: Readonly<APIService>): FieldError[] {
  const out: FieldError[] = []
  const group = spec.group ?? ""
  const version = spec.version ?? ""
  if (group === "" && version !== "v1") {
    const detail = "only v1 may have an empty group and it better be legacy kube"
    out.push(field.required("spec.group", detail))
  }
  if (group !== "") out.push(...reasons("spec.group", group, isDNS1123Subdomain(group)))
  out.push(...reasons("spec.version", version, isDNS1035Label(version)))
  const { groupPriorityMinimum: least, versionPriority: priority, service } = spec
  if (least <= 0 || least > 20_000)
    out.push(field.invalid("spec.groupPriorityMinimum", least, "must be positive and less than 20000"))
  if (priority <= 0 || priority > 1000)
    out.push(field.invalid("spec.versionPriority", priority, "must be positive and less than 1000"))
  if (!service) {
    if (spec.caBundle) {
      const size = `${Buffer.byteLength(spec.caBundle, "base64")} bytes`
      out.push(field.invalid("spec.caBundle", size, "local APIServices may not have a caBundle"))
    }
    if (spec.insecureSkipTLSVerify)
      out.push(
        field.invalid(
          "spec.insecureSkipTLSVerify",
          true,
          "local APIServices may not have insecureSkipTLSVerify",
        ),
      )
    return out
  }
  out.push(
    ...required("spec.service.namespace", service.namespace),
    ...required("spec.service.name", service.name),
  )
  const why = isValidPortNum(service.port ?? 0)
  if (why.length > 0)
    out.push(field.invalid("spec.service.port", service.port, `port is not valid: ${why.join(", ")}`))
  if (spec.insecureSkipTLSVerify && spec.caBundle)
    out.push(field.invalid("spec.insecureSkipTLSVerify", true, "may not be true if caBundle is present"))
  return out
}
