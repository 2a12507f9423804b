/** Requests that policies refuse, or cannot judge. */
import { namespaceSteps, post, type Step } from "../../script.ts"
import {
  constraints,
  policySteps,
  removalSteps,
  rule,
  settledSteps,
  validating,
  type Loose,
} from "./policy.ts"

interface Case {
  readonly spec: Loose
  readonly binding?: Loose
  readonly data?: Loose
}

const v = (expression: string, more: Loose = {}): Loose => ({ validations: [{ expression, ...more }] })
const wide = `[${Array.from({ length: 60 }, (_, i) => i).join(",")}]`
const nested = `${wide}.all(a, ${wide}.all(b, ${wide}.all(c, a + b + c >= 0)))`
const half = `${wide}.all(a, ${wide}.all(b, ${wide}.size() > 0 && a + b >= 0))`
const paramKind = { apiVersion: "v1", kind: "ConfigMap" }
const byName = (parameterNotFoundAction: string, more: Loose = {}): Loose => ({
  paramRef: { name: "none", parameterNotFoundAction, ...more },
})

/** Each judges the object of its own name alone. */
const cases: Readonly<Record<string, Case>> = {
  plain: { spec: v("false") },
  message: { spec: v("false", { message: "  no  " }) },
  "message-expression": {
    spec: v("false", { message: "no", messageExpression: "'it is ' + object.metadata.name" }),
  },
  "message-fails": { spec: v("false", { message: "no", messageExpression: "string(object.none)" }) },
  "message-empty": { spec: v("false", { messageExpression: "'  '" }) },
  "message-lines": { spec: v("false", { messageExpression: "'a\\nb'" }) },
  "message-long": { spec: v("false", { messageExpression: `'${"0123456789".repeat(600)}'` }) },
  forbidden: { spec: v("false", { reason: "Forbidden" }) },
  unauthorized: { spec: v("false", { reason: "Unauthorized" }) },
  "too-large": { spec: v("false", { reason: "RequestEntityTooLarge" }) },
  fails: { spec: v("object.none == 1") },
  "fails-ignored": { spec: { ...v("object.none == 1"), failurePolicy: "Ignore" } },
  "second-of-two": { spec: { validations: [{ expression: "true" }, { expression: "1 == 2" }] } },
  "all-of-them": { spec: { validations: [{ expression: "2 == 1" }, { expression: "1 == 2" }] } },
  "variable-fails": {
    spec: { variables: [{ name: "a", expression: "object.none" }], ...v("variables.a == 1") },
  },
  "variable-absorbed": {
    spec: { variables: [{ name: "a", expression: "object.none" }], ...v("variables.a == 1 || true") },
  },
  costly: { spec: v(nested) },
  "costly-variable": { spec: { variables: [{ name: "a", expression: nested }], ...v("variables.a") } },
  "costly-together": { spec: { validations: Array.from({ length: 60 }, () => ({ expression: half })) } },
  "condition-fails": {
    spec: { matchConditions: [{ name: "c", expression: "object.none" + " == 1" }], ...v("false") },
  },
  "conditions-fail": {
    spec: {
      matchConditions: ["object.none == 1", "object.other == 1", "true"].map((expression, i) => ({
        name: `c${i}`,
        expression,
      })),
      ...v("false"),
    },
  },
  "condition-false": {
    spec: {
      matchConditions: ["object.none == 1", "false"].map((expression, i) => ({ name: `c${i}`, expression })),
      ...v("false"),
    },
  },
  "condition-costly": { spec: { matchConditions: [{ name: "c", expression: nested }], ...v("false") } },
  "no-kind": {
    spec: { paramKind: { apiVersion: "none.example.com/v1", kind: "None" }, ...v("true") },
    binding: byName("Allow"),
  },
  "no-param": { spec: { paramKind, ...v("params != null") }, binding: byName("Deny") },
  "no-param-allowed": { spec: { paramKind, ...v("params != null") }, binding: byName("Allow") },
  "no-selected": {
    spec: { paramKind, ...v("params != null") },
    binding: { paramRef: { selector: { matchLabels: { none: "none" } }, parameterNotFoundAction: "Deny" } },
  },
  "no-param-ref": { spec: { paramKind, ...v("params != null") } },
  "cluster-param": {
    spec: { paramKind: { apiVersion: "v1", kind: "Namespace" }, ...v("params.metadata.name == 'other'") },
    binding: { paramRef: { name: "default", parameterNotFoundAction: "Deny" } },
  },
  "cluster-param-in-namespace": {
    spec: { paramKind: { apiVersion: "v1", kind: "Namespace" }, ...v("true") },
    binding: { paramRef: { name: "default", namespace: "default", parameterNotFoundAction: "Deny" } },
  },
  "binding-elsewhere": {
    spec: v("false"),
    binding: { matchResources: { objectSelector: { matchLabels: { a: "b" } } } },
  },
  warns: { spec: v("false", { message: "careful" }), binding: { validationActions: ["Warn"] } },
  audits: { spec: v("false"), binding: { validationActions: ["Audit"] } },
  "annotation-fails": { spec: { auditAnnotations: [{ key: "k", valueExpression: "string(object.none)" }] } },
  "annotation-ignored": {
    spec: {
      auditAnnotations: [{ key: "k", valueExpression: "string(object.none)" }],
      failurePolicy: "Ignore",
    },
  },
}

export function refused(namespace: string): Step[] {
  const names = Object.keys(cases)
  return [
    ...namespaceSteps(namespace),
    ...names.flatMap((name) => {
      const { spec, binding } = cases[name]!
      const own = { ...rule("configmaps"), resourceNames: [name] }
      const matchConstraints = constraints(namespace, own)
      return policySteps(validating, `${namespace}-${name}`, { matchConstraints, ...spec }, binding)
    }),
    ...settledSteps(namespace),
    ...names.map((name) =>
      post(name, `/api/v1/namespaces/${namespace}/configmaps`, {
        metadata: { name },
        data: { a: "b" },
      }),
    ),
    ...removalSteps(validating, `${namespace}-settled`),
    ...names.flatMap((name) => removalSteps(validating, `${namespace}-${name}`)),
  ]
}
