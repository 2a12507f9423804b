/**
 * Policies with their bindings: which of them a request meets, and with which parameters. What can be made of a policy is
 * made when it is written.
 * Mirrors: apiserver pkg/admission/plugin/policy/{generic/policy_source.go,generic/policy_dispatcher.go,matching}
 */
import { namespace as namespaceKind } from "@knarr/api"
import type { MatchResources, ParamKind, ParamRef } from "@knarr/api"
import { type Kind, type KubeObject, notFound } from "@knarr/apimachinery"
import type { AdmissionAttributes, AdmissionDeps } from "../../contract.ts"
import { compiledFrom } from "../compiled.ts"
import { isResource } from "../is-resource.ts"
import { isFromFile } from "../manifests.ts"
import { isExempt, Matcher } from "../matching.ts"
import { findParams, paramKindName, type Param } from "./params.ts"

/** What both kinds of policies have. */
interface Policy extends KubeObject {
  spec: {
    paramKind?: ParamKind | undefined
    matchConstraints?: MatchResources | undefined
    failurePolicy?: string | undefined
  }
}

interface Binding extends KubeObject {
  spec: {
    policyName?: string | undefined
    paramRef?: ParamRef | undefined
    matchResources?: MatchResources | undefined
  }
}

interface BoundBinding<B extends Binding> {
  readonly binding: Readonly<B>
  /** Undefined where the policy's own constraints are all. */
  readonly matcher: Matcher | undefined
}

interface BoundPolicy<P extends Policy, C> {
  readonly policy: Readonly<P>
  readonly matcher: Matcher
  readonly compiled: C
}

/** A binding that a request meets, and what it is evaluated with. */
export interface Invocation<P extends Policy, B extends Binding, C> {
  readonly policy: Readonly<P>
  readonly binding: Readonly<B>
  readonly compiled: C
  /** The version in which the policy wants to see the request. */
  readonly kind: Kind
  /** One evaluation for each; undefined where the policy has none, or the binding names none. */
  readonly params: readonly (Param | undefined)[]
}

/** A policy or a binding that cannot be applied to a request. */
export interface ConfigurationFault<P extends Policy, B extends Binding> {
  readonly policy: Readonly<P>
  readonly binding: Readonly<B> | undefined
  readonly error: unknown
}

/** Resources that no policy judges: without them nobody could be asked who may do what. */
const excluded: Readonly<Record<string, ReadonlySet<string>>> = {
  "authentication.k8s.io": new Set(["selfsubjectreviews", "tokenreviews"]),
  "authorization.k8s.io": new Set([
    "localsubjectaccessreviews",
    "selfsubjectaccessreviews",
    "selfsubjectrulesreviews",
    "subjectaccessreviews",
  ]),
}

export class BoundPolicies<P extends Policy, B extends Binding, C> {
  readonly #deps: AdmissionDeps
  readonly #policies: { readonly present: readonly BoundPolicy<P, C>[] }
  readonly #bindings: { readonly present: readonly BoundBinding<B>[] }
  #joined: readonly (readonly [BoundPolicy<P, C>, readonly BoundBinding<B>[]])[] | undefined

  constructor(
    deps: AdmissionDeps,
    policyKind: Kind<P>,
    bindingKind: Kind<B>,
    compile: (policy: Readonly<P>) => C,
  ) {
    this.#deps = deps
    this.#policies = compiledFrom(deps, policyKind, (policy) => ({
      policy,
      matcher: matcherOf(policy.spec.matchConstraints),
      compiled: compile(policy),
    }))
    this.#bindings = compiledFrom(deps, bindingKind, (binding) => {
      const { matchResources } = binding.spec
      return { binding, matcher: matchResources && matcherOf(matchResources) }
    })
    for (const kind of [policyKind, bindingKind]) deps.follow(kind, () => (this.#joined = undefined))
  }

  /** Whether a request can meet any. */
  handles({ kind }: Pick<AdmissionAttributes, "kind">): boolean {
    return this.#pairsFor({ kind }).length > 0 && !excluded[kind.group]?.has(kind.plural)
  }

  /** What configures admission is judged by policies from files alone. */
  #pairsFor(
    a: Pick<AdmissionAttributes, "kind">,
  ): readonly (readonly [BoundPolicy<P, C>, readonly BoundBinding<B>[]])[] {
    const all = this.#pairs
    return all.length > 0 && isExempt(a) ? all.filter(([{ policy }]) => isFromFile(policy)) : all
  }

  get #pairs(): readonly (readonly [BoundPolicy<P, C>, readonly BoundBinding<B>[]])[] {
    if (this.#joined) return this.#joined
    const byPolicy = Map.groupBy(this.#bindings.present, ({ binding }) => binding.spec.policyName)
    return (this.#joined = this.#policies.present.flatMap((one) => {
      const bindings = byPolicy.get(one.policy.metadata.name)
      return bindings ? [[one, bindings] as const] : []
    }))
  }

  /** What the request meets, in the order of the policies' names; `fault` is told what cannot be applied. */
  invocations(
    a: AdmissionAttributes,
    fault: (fault: ConfigurationFault<P, B>) => void,
  ): readonly Invocation<P, B, C>[] {
    const found: Invocation<P, B, C>[] = []
    for (const [{ policy, matcher, compiled }, bindings] of this.#pairsFor(a)) {
      let kind: Kind | undefined
      let paramKind: Kind | undefined
      try {
        kind = matcher.versionFor(a, this.#deps)
        if (kind && policy.spec.paramKind) paramKind = this.#paramKind(policy.spec.paramKind)
      } catch (error) {
        fault({ policy, binding: undefined, error })
        continue
      }
      if (!kind) continue
      for (const { binding, matcher: own } of bindings) {
        try {
          if (own && !own.versionFor(a, this.#deps)) continue
          const params = paramKind
            ? findParams(paramKind, binding.spec.paramRef, a.namespace, this.#deps)
            : [undefined]
          if (params.length > 0) found.push({ policy, binding, compiled, kind, params })
        } catch (error) {
          fault({ policy, binding, error })
        }
      }
    }
    return found
  }

  #paramKind(named: ParamKind): Kind {
    const name = paramKindName(named)
    const kind = this.#deps.kindNamed(name)
    if (kind) return kind
    const { group, version, kind: text } = name
    throw new Error(`failed to find resource referenced by paramKind: '${group}/${version}, Kind=${text}'`)
  }
}

function matcherOf(match: MatchResources = {}): Matcher {
  const { resourceRules = [], excludeResourceRules, ...selectors } = match
  return new Matcher({ ...selectors, rules: resourceRules, except: excludeResourceRules })
}

/** The namespace of the request's object as expressions see it; null for what is in none. Throws its 404. */
export function namespaceOf(a: AdmissionAttributes, deps: Pick<AdmissionDeps, "get">): object | null {
  if (a.namespace === "" || isResource(a, "", "namespaces", a.subresource)) return null
  const found = deps.get(namespaceKind, { name: a.namespace })
  if (!found) throw notFound({ group: "", resource: "namespaces" }, a.namespace)
  const { managedFields: _, ownerReferences: __, ...metadata } = found.metadata
  return { metadata, spec: found.spec, status: found.status }
}
