/**
 * What all validating policies together do about a request: refuse it, warn, tell the audit log.
 * Mirrors: apiserver pkg/admission/plugin/policy/validating/dispatcher.go
 */
import type { ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding } from "@knarr/api"
import { statusErrorFrom } from "@knarr/apimachinery"
import { entryOf, messageOf } from "@knarr/base"
import type { AdmissionAttributes } from "../../contract.ts"
import type { PolicyMetrics } from "../metrics.ts"
import { refusal } from "../refuse.ts"
import type { ConfigurationFault, Invocation } from "./bound.ts"
import type { CompiledValidating } from "./compiled-policy.ts"
import type { PolicyVerdict } from "./validate-invocation.ts"

export type ValidatingInvocation = Invocation<
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  CompiledValidating
>
export type ValidatingFault = ConfigurationFault<ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding>

/** Bytes. */
const longestAnnotation = 10 * 1024
/** Failures that one audit event tells of. */
const mostFailures = 50
const codes: Readonly<Record<string, number>> = {
  Forbidden: 403,
  Unauthorized: 401,
  RequestEntityTooLarge: 413,
}
const unprocessable = 422

interface Denial {
  readonly policy: string
  readonly binding: string | undefined
  readonly message: string
  readonly reason: string
}

export class ValidatingOutcome {
  readonly #a: AdmissionAttributes
  readonly #metrics: PolicyMetrics
  readonly #denials: Denial[] = []
  readonly #failures: object[] = []
  /** By policy, then key: values that differ. */
  readonly #annotations = new Map<string, Map<string, Set<string>>>()

  constructor(a: AdmissionAttributes, metrics: PolicyMetrics) {
    this.#a = a
    this.#metrics = metrics
  }

  /** A policy that cannot be applied refuses the request, unless its failures are ignored. */
  fault({ policy, binding, error }: ValidatingFault): void {
    if (policy.spec.failurePolicy === "Ignore") return
    const what = binding ? "binding" : "policy"
    this.#denials.push({
      policy: policy.metadata.name ?? "",
      binding: binding?.metadata.name,
      message: `failed to configure ${what}: ${messageOf(error)}`,
      reason: "",
    })
  }

  add({ policy, binding }: ValidatingInvocation, verdict: PolicyVerdict): void {
    const names = [policy.metadata.name ?? "", binding.metadata.name ?? ""] as const
    const [policyName, bindingName] = names
    const { validationActions = [] } = binding.spec
    for (const [i, { allowed, failed, message, reason, elapsedMs }] of verdict.decisions.entries()) {
      const counted = (action: string): void => this.#metrics.checked(elapsedMs, ...names, message, action)
      if (allowed) {
        if (failed) counted("allow")
        continue
      }
      for (const action of validationActions) {
        counted(action.toLowerCase())
        if (action === "Deny")
          this.#denials.push({ policy: policyName, binding: bindingName, message, reason })
        else if (action === "Audit")
          this.#failures.push({
            message,
            policy: binding.spec.policyName,
            binding: bindingName,
            expressionIndex: i,
            validationActions,
          })
        else
          this.#a.warnings.push(
            `Validation failed for ValidatingAdmissionPolicy '${policyName}' with binding '${bindingName}': ${message}`,
          )
      }
    }
    for (const message of verdict.annotationErrors) {
      this.#metrics.checked(0, ...names, message, "deny")
      this.#denials.push({ policy: policyName, binding: bindingName, message, reason: "" })
    }
    for (const { key, value } of verdict.annotations) this.#annotate(policyName, key, value)
  }

  #annotate(policy: string, key: string, value: string): void {
    const keys = entryOf(this.#annotations, policy, () => new Map<string, Set<string>>())
    entryOf(keys, key, () => new Set()).add(cut(value))
  }

  /** Tells what there is to tell. Throws the StatusError that refuses the request. */
  settle(): void {
    for (const [policy, keys] of this.#annotations)
      for (const [key, values] of keys) this.#a.annotate(`${policy}/${key}`, [...values].join(", "))
    if (this.#failures.length > 0) {
      const told = JSON.stringify(this.#failures.slice(0, mostFailures))
      this.#a.annotate("validation.policy.admission.k8s.io/validation_failure", told)
    }
    const first = this.#denials[0]
    if (!first) return
    const { policy, binding, message, reason } = first
    const by = `ValidatingAdmissionPolicy '${policy}'${binding === undefined ? "" : ` with binding '${binding}'`}`
    const text = `${by} denied request: ${message}`
    const { status } = refusal(this.#a, text, [{ message: text }])
    throw statusErrorFrom({ ...status, reason: reason || "Invalid", code: codes[reason] ?? unprocessable })
  }
}

/** The first bytes of a long text, whole characters. */
function cut(text: string): string {
  if (Buffer.byteLength(text) <= longestAnnotation) return text
  const bytes = Buffer.from(text).subarray(0, longestAnnotation)
  return new TextDecoder("utf-8").decode(bytes, { stream: true })
}
