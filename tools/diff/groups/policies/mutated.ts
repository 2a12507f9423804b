/** What mutating policies make of objects, and what they cannot. */
import { namespaceSteps, patch, post, type Body, type Step } from "../../script.ts"
import {
  constraints,
  mutating,
  policySteps,
  removalSteps,
  rule,
  settledSteps,
  validating,
  type Loose,
} from "./policy.ts"

const apply = (expression: string): Loose => ({
  patchType: "ApplyConfiguration",
  applyConfiguration: { expression },
})
const jsonPatch = (expression: string): Loose => ({ patchType: "JSONPatch", jsonPatch: { expression } })
const operation = (op: string, path: string, more = ""): string =>
  `JSONPatch{op: "${op}", path: "${path}"${more === "" ? "" : `, ${more}`}}`
const podSpec = (inner: string): string =>
  `Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{${inner}}}}}`
const containers = "Object.spec.template.spec.containers"

interface Case {
  readonly mutations: readonly Loose[]
  readonly more?: Loose
}

/** Each changes the deployment of its own name alone. */
const cases: Readonly<Record<string, Case>> = {
  replicas: { mutations: [apply("Object{spec: Object.spec{replicas: object.spec.replicas + 1}}")] },
  labels: {
    mutations: [
      apply('Object{metadata: Object.metadata{labels: {"a": "b", "c": string(object.metadata.name)}}}'),
    ],
  },
  container: {
    mutations: [
      apply(
        podSpec(
          `containers: [${containers}{name: "c", imagePullPolicy: "Never"}, ${containers}{name: "d", image: "e"}]`,
        ),
      ),
    ],
  },
  "each-container": {
    mutations: [
      apply(
        podSpec(
          `containers: object.spec.template.spec.containers.map(one, ${containers}{name: one.name, env: [${containers}.env{name: "X", value: one.image}]})`,
        ),
      ),
    ],
  },
  tolerations: {
    mutations: [
      apply(podSpec('tolerations: [Object.spec.template.spec.tolerations{key: "a", operator: "Exists"}]')),
    ],
  },
  selector: {
    mutations: [apply('Object{spec: Object.spec{selector: Object.spec.selector{matchLabels: {"a": "b"}}}}')],
  },
  "atomic-map": { mutations: [apply(podSpec('nodeSelector: {"a": "b"}'))] },
  unknown: { mutations: [apply("Object{nothing: 1}")] },
  "unknown-inner": { mutations: [apply("Object{spec: Object.spec{nothing: 1, other: 2}}")] },
  "wrong-type": { mutations: [apply('Object{spec: Object.spec{replicas: "many"}}')] },
  "wrong-name": { mutations: [apply("Object{spec: Object.wrong{replicas: 1}}")] },
  "no-key": { mutations: [apply(podSpec(`containers: [${containers}{image: "e"}]`))] },
  "twice-a-key": {
    mutations: [apply(podSpec(`containers: [${containers}{name: "c"}, ${containers}{name: "c"}]`))],
  },
  fails: { mutations: [apply("Object{spec: Object.spec{replicas: int(object.none)}}")] },
  "fails-ignored": { mutations: [apply("Object{nothing: 1}")], more: { failurePolicy: "Ignore" } },
  "two-fail": { mutations: [apply("Object{nothing: 1}"), apply("Object{other: 1}")] },
  "one-of-two-fails": {
    mutations: [apply("Object{nothing: 1}"), apply("Object{spec: Object.spec{replicas: 4}}")],
    more: { failurePolicy: "Ignore" },
  },
  "condition-fails": {
    mutations: [apply("Object{}")],
    more: { matchConditions: [{ name: "c", expression: "object.none == 1" }] },
  },
  "condition-false": {
    mutations: [apply("Object{spec: Object.spec{replicas: 4}}")],
    more: { matchConditions: [{ name: "c", expression: "false" }] },
  },
  add: { mutations: [jsonPatch(`[${operation("add", "/spec/replicas", "value: 3")}]`)] },
  values: {
    mutations: [
      jsonPatch(
        `[${operation("add", "/metadata/annotations", 'value: {"a": string(object.spec.replicas), "b": "c"}')}]`,
      ),
    ],
  },
  "an-object": {
    mutations: [
      jsonPatch(
        `[${operation("add", "/spec/template/spec/containers/-", 'value: Object.spec.template.spec.containers{name: "z", image: "z"}')}]`,
      ),
    ],
  },
  escaped: {
    mutations: [
      jsonPatch(
        '[JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("a.b/c~d"), value: "e"}]',
      ),
    ],
  },
  "test-fails": {
    mutations: [
      jsonPatch(
        `[${operation("test", "/spec/replicas", "value: 99")}, ${operation("add", "/spec/replicas", "value: 3")}]`,
      ),
    ],
  },
  "nothing-there": { mutations: [jsonPatch(`[${operation("remove", "/spec/none")}]`)] },
  "nothing-deep": { mutations: [jsonPatch(`[${operation("add", "/spec/none/none", "value: 1")}]`)] },
  strict: { mutations: [jsonPatch(`[${operation("add", "/spec/none", "value: 1")}]`)] },
  "wrong-json": { mutations: [jsonPatch(`[${operation("add", "/spec/replicas", 'value: "x"')}]`)] },
  moved: {
    mutations: [jsonPatch(`[${operation("copy", "/metadata/labels/to", 'from: "/metadata/labels/app"')}]`)],
  },
  another: { mutations: [jsonPatch(`[${operation("other", "/spec/replicas", "value: 1")}]`)] },
  bytes: { mutations: [jsonPatch(`[${operation("add", "/metadata/annotations", "value: {'a': b'xyz'}")}]`)] },
  "once-more": {
    mutations: [jsonPatch(`[${operation("add", "/spec/replicas", "value: object.spec.replicas + 1")}]`)],
    more: { reinvocationPolicy: "IfNeeded" },
  },
  "makes-it-invalid": { mutations: [apply("Object{spec: Object.spec{replicas: -1}}")] },
  variables: {
    mutations: [apply("Object{spec: Object.spec{replicas: variables.b}}")],
    more: {
      variables: [
        { name: "a", expression: "object.spec.replicas" },
        { name: "b", expression: "variables.a * 3" },
      ],
    },
  },
}

export function mutated(namespace: string): Step[] {
  const names = Object.keys(cases)
  const at = `/apis/apps/v1/namespaces/${namespace}/deployments`
  const deployment = (name: string): Body => ({
    metadata: { name, labels: { app: "x" } },
    spec: {
      replicas: 2,
      selector: { matchLabels: { app: "x" } },
      template: { metadata: { labels: { app: "x" } }, spec: { containers: [{ name: "c", image: "i" }] } },
    },
  })
  return [
    ...namespaceSteps(namespace),
    ...names.flatMap((name) => {
      const { mutations, more } = cases[name]!
      const own = rule("deployments", { operations: ["CREATE", "UPDATE"], resourceNames: [name] })
      const matchConstraints = constraints(namespace, own)
      const spec = { matchConstraints, reinvocationPolicy: "Never", mutations, ...more }
      return policySteps(mutating, `${namespace}-${name}`, spec)
    }),
    ...settledSteps(namespace),
    // The two plugins of the reference do not look at what was written at the same time.
    {
      ...post("settled too", `${at}?dryRun=All`, deployment("unknown")),
      quiet: true,
      untilText: "denied request",
    },
    ...names.map((name) => post(name, at, deployment(name))),
    patch("update", `${at}/replicas`, "merge", { metadata: { labels: { b: "c" } } }),
    ...removalSteps(validating, `${namespace}-settled`),
    ...names.flatMap((name) => removalSteps(mutating, `${namespace}-${name}`)),
  ]
}
