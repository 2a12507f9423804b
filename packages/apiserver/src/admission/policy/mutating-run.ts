/**
 * One round of mutating policies over one object. Mirrors: apiserver pkg/admission/plugin/policy/mutating/dispatcher.go,
 * policy/generic/policy_dispatcher.go (Dispatch)
 */
import type { MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding } from "@knarr/api"
import {
  deepEqual,
  type Kind,
  type KubeObject,
  serviceUnavailable,
  StatusError,
  statusErrorFrom,
} from "@knarr/apimachinery"
import { messageOf, whenReady } from "@knarr/base"
import { Activation, type AdmissionValues } from "@knarr/cel"
import type { AdmissionAttributes, AdmissionDeps } from "../../contract.ts"
import { withObject } from "../attributes.ts"
import { Asking, requestOf, seenAs, type Seen } from "../expressions.ts"
import type { MatchConditionMetrics, PolicyMetrics } from "../metrics.ts"
import { refusal } from "../refuse.ts"
import type { Reinvocations } from "../reinvocations.ts"
import { namespaceOf, type ConfigurationFault, type Invocation } from "./bound.ts"
import type { CompiledMutating } from "./compiled-policy.ts"
import { evaluationBudget } from "./evaluation-budget.ts"
import { mutated } from "./mutate.ts"
import type { Param } from "./params.ts"

type MutatingInvocation = Invocation<
  MutatingAdmissionPolicy,
  MutatingAdmissionPolicyBinding,
  CompiledMutating
>
type MutatingFault = ConfigurationFault<MutatingAdmissionPolicy, MutatingAdmissionPolicyBinding>

interface MutatingRunDeps {
  readonly deps: AdmissionDeps
  readonly reinvocations: Reinvocations
  readonly metrics: PolicyMetrics
  readonly conditionMetrics: MatchConditionMetrics
}

/** What the mutations of a policy came to. */
interface Mutations {
  readonly object: Readonly<KubeObject>
  readonly checks: readonly { readonly elapsedMs: number; readonly error: Error | undefined }[]
}

export class MutatingRun {
  readonly #original: AdmissionAttributes
  readonly #with: MutatingRunDeps
  readonly #denials: { readonly message: string; readonly reason: string }[] = []
  #present: AdmissionAttributes
  #namespace: { readonly object: object | null } | undefined
  /** Whether any mutation was evaluated. */
  #touched = false

  constructor(a: AdmissionAttributes, deps: MutatingRunDeps) {
    this.#original = a
    this.#present = a
    this.#with = deps
  }

  /** A policy that cannot be applied refuses the request, unless its failures are ignored. */
  fault({ policy, binding, error }: MutatingFault): void {
    this.#deny(policy, binding, `failed to configure ${binding ? "binding" : "policy"}: ${messageOf(error)}`)
  }

  #deny(
    { metadata: { name }, spec }: Readonly<MutatingAdmissionPolicy>,
    binding: Readonly<MutatingAdmissionPolicyBinding> | undefined,
    why: string,
    reason = "",
  ): void {
    if (spec.failurePolicy === "Ignore") return
    const by = binding
      ? `policy '${name}' with binding '${binding.metadata.name}'`
      : `policy ${JSON.stringify(name)}`
    this.#denials.push({ message: `${by} denied request: ${why}`, reason })
  }

  /** Lets one policy change the object, with one parameter. Throws StatusErrors. */
  invoke(invocation: MutatingInvocation, param: Param | undefined): void | Promise<void> {
    const a = this.#present
    const { policy, binding, kind } = invocation
    this.#namespace ??= { object: namespaceOf(a, this.#with.deps) }
    const asking = new Asking(a, this.#with.deps)
    const own = asking.variables()
    const attempt = (seen: Seen): void | Promise<void> => {
      const values = {
        object: seen.object ?? null,
        oldObject: seen.oldObject ?? null,
        request: requestOf(a, seen),
        params: param ?? null,
        ...own,
      }
      const evaluate = (): Mutations | undefined => this.#evaluate(invocation, param, seen, values)
      return whenReady(asking.settle(evaluate), (mutations) => this.#take(invocation, param, seen, mutations))
    }
    const failed = (thrown: unknown): void => {
      if (!(thrown instanceof ConditionsError)) throw thrown
      this.#deny(policy, binding, thrown.message, "Invalid")
    }
    try {
      const wait = whenReady(seenAs(kind, a, this.#with.deps), attempt)
      return wait?.catch(failed)
    } catch (thrown) {
      failed(thrown)
    }
  }

  /** Undefined when the policy is left out. Changes nothing: it may be done again. */
  #evaluate(
    invocation: MutatingInvocation,
    param: Param | undefined,
    seen: Seen,
    values: AdmissionValues,
  ): Mutations | undefined {
    const { compiled } = invocation
    const { deps, metrics, conditionMetrics, reinvocations } = this.#with
    try {
      if (compiled.conditions?.hold(values, this.#original.operation, conditionMetrics) === false)
        return undefined
    } catch (thrown) {
      if (!(thrown instanceof Error)) throw thrown
      throw new ConditionsError(thrown.message)
    }
    if (!reinvocations.isDue(keyOf(invocation, param)) || !seen.object) return undefined
    const kind = this.#kindOf(seen)
    let { object } = seen
    const checks = compiled.mutations.map(({ patchType, expression }) => {
      const startMs = metrics.now()
      const namespaceObject = this.#namespace!.object
      const activation = new Activation(
        { ...values, object, namespaceObject },
        compiled.variables,
        evaluationBudget,
      )
      let problem: Error | undefined
      try {
        const { value, error } = activation.evaluate(expression)
        if (error !== undefined) throw new Error(error)
        object = mutated(patchType, value, kind, object!, deps)
      } catch (thrown) {
        if (!(thrown instanceof Error) || thrown instanceof StatusError) throw thrown
        problem = thrown
      }
      return { elapsedMs: metrics.now() - startMs, error: problem }
    })
    return { object: object!, checks }
  }

  /** The kind of what the policy sees: what a subresource takes may be of another. */
  #kindOf({ kind, object }: Seen): Kind {
    if (this.#original.subresource === "" || object!.kind === kind.kind) return kind
    const named = this.#original.requestKind
    const found = this.#with.deps.kindNamed(named)
    if (found) return found
    const { group, version, kind: text } = named
    throw serviceUnavailable(
      `Resource kind ${group}/${version}, Kind=${text} not found. There can be a delay between when CustomResourceDefinitions are created and when they are available.`,
    )
  }

  #take(
    invocation: MutatingInvocation,
    param: Param | undefined,
    seen: Seen,
    mutations: Mutations | undefined,
  ): void | Promise<void> {
    if (!mutations) return
    const { policy, binding } = invocation
    const { metrics, reinvocations, deps } = this.#with
    for (const { elapsedMs, error } of mutations.checks) {
      const message = error?.message ?? ""
      metrics.checked(elapsedMs, policy.metadata.name ?? "", binding.metadata.name ?? "", message)
      if (error) this.#deny(policy, binding, message, "Invalid")
      else this.#touched = true
    }
    const isSame = deepEqual(mutations.object, seen.object)
    if (!isSame) reinvocations.changed()
    if (policy.spec.reinvocationPolicy === "IfNeeded") reinvocations.wantsMore(keyOf(invocation, param))
    if (isSame) return
    const a = this.#original
    const back = (object: KubeObject): void => {
      this.#present = withObject(this.#present, object)
    }
    const object = mutations.object as KubeObject
    if (seen.kind === a.kind || a.subresource !== "") return back(object)
    return whenReady(deps.convert(object, a.kind), (converted) => back(deps.decode(a.kind, converted)))
  }

  /** The object that takes the request's place, if it changed. Throws the StatusError that refuses the request. */
  end(): void | KubeObject {
    const { reinvocations } = this.#with
    // As upstream: whoever evaluated a mutation is taken to have changed the object.
    if (this.#touched) reinvocations.changed()
    const { object } = this.#present
    reinvocations.end(object)
    const [first] = this.#denials
    if (first) {
      const causes = this.#denials.map(({ message }) => ({ message }))
      const { status } = refusal(this.#original, "admission request denied by policy", causes)
      throw statusErrorFrom({
        ...status,
        message: first.message,
        ...(first.reason ? { reason: first.reason } : {}),
      })
    }
    return object === this.#original.object ? undefined : object
  }
}

/** Conditions that cannot be evaluated. */
class ConditionsError extends Error {}

function keyOf({ policy, binding }: MutatingInvocation, param: Param | undefined): string {
  const { namespace = "", name = "" } = param?.metadata ?? {}
  return `${policy.metadata.name}/${binding.metadata.name}/${namespace}/${name}`
}
