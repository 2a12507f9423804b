/** Policies that judge or change what is in one namespace. */
import { post, quiet, remove, type Body, type Step } from "../../script.ts"

export type Loose = Readonly<Record<string, unknown>>

const base = "/apis/admissionregistration.k8s.io/v1"
export const validating = `${base}/validatingadmissionpolicies`
export const mutating = `${base}/mutatingadmissionpolicies`

export const rule = (resource: string, more: Loose = {}): Loose => ({
  operations: ["*"],
  apiGroups: ["*"],
  apiVersions: ["*"],
  resources: [resource],
  ...more,
})

/** What is in the namespace. */
export const constraints = (namespace: string, ...resourceRules: Loose[]): Loose => ({
  namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
  resourceRules,
})

/** A policy and its binding, both named `name`. */
export function policySteps(
  collection: typeof validating | typeof mutating,
  name: string,
  spec: Loose,
  binding: Loose = {},
): Step[] {
  const actions = collection === validating ? { validationActions: ["Deny"] } : {}
  const metadata = { name }
  return [
    quiet(post(`policy ${name}`, collection, { metadata, spec } as Body)),
    quiet(
      post(`binding of ${name}`, collection.replace(/ies$/, "ybindings"), {
        metadata,
        spec: { policyName: name, ...actions, ...binding },
      }),
    ),
  ]
}

export function removalSteps(collection: typeof validating | typeof mutating, name: string): Step[] {
  return [
    quiet(remove(`remove binding of ${name}`, `${collection.replace(/ies$/, "ybindings")}/${name}`)),
    quiet(remove(`remove policy ${name}`, `${collection}/${name}`)),
  ]
}

/** Waits until all policies that were written before are looked at: the reference takes up to a second. */
export function settledSteps(namespace: string): Step[] {
  const name = `${namespace}-settled`
  const matchConstraints = constraints(namespace, rule("configmaps"))
  const validations = [{ expression: "object == null || object.metadata.name != 'settled'" }]
  const settled = { metadata: { name: "settled" } }
  return [
    ...policySteps(validating, name, { matchConstraints, validations }),
    {
      ...quiet(post("settled", `/api/v1/namespaces/${namespace}/configmaps?dryRun=All`, settled)),
      untilText: "denied request",
    },
  ]
}
