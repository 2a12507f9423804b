/** Policies whose expressions are wrong, or nearly. */
import { post, type Body, type Step } from "../../script.ts"
import { constraints, mutating, rule, validating, type Loose } from "./policy.ts"

const v = (...expressions: string[]): Loose => ({
  validations: expressions.map((expression) => ({ expression })),
})
const message = (messageExpression: string, more: Loose = {}): Loose => ({
  validations: [{ expression: "true", messageExpression, ...more }],
})
const variables = (list: Readonly<Record<string, string>>, ...expressions: string[]): Loose => ({
  variables: Object.entries(list).map(([name, expression]) => ({ name, expression })),
  ...v(...expressions),
})
const conditions = (...expressions: string[]): Loose => ({
  matchConditions: expressions.map((expression, i) => ({ name: `c${i}`, expression })),
  ...v("true"),
})
const annotations = (...list: string[]): Loose => ({
  auditAnnotations: list.map((valueExpression, i) => ({ key: `k${i}`, valueExpression })),
})
const paramKind = { apiVersion: "v1", kind: "ConfigMap" }

const cases: Readonly<Record<string, Loose>> = {
  right: v("object.spec.replicas > 1"),
  "does not parse": v("object.spec."),
  "does not parse, on the second line": v("object.spec.a == 1 &&\n object.spec."),
  "unknown name": v("nothing == 1"),
  "no bool": v("'a'"),
  "no bool, dyn": v("object.spec.a"),
  "no bool, list": v("[1]"),
  "no bool, map": v("{'a': [1.0]}"),
  "no bool, timestamp": v("timestamp('2020-01-01T00:00:00Z')"),
  "no bool, type": v("type(1)"),
  "no bool, optional": v("object.?a"),
  "two are wrong": v("nothing", "1"),
  "bad constant": v("'a'.matches('[')"),
  "bad duration": v("duration('x') == duration('1s')"),
  "params without a kind": v("params.a == 1"),
  "params with a kind": { paramKind, ...v("params.a == 1") },
  "params in a condition without a kind": conditions("params.a == 1"),
  "params in a condition": { paramKind, ...conditions("params.a == 1") },
  "params in a message without a kind": message("params.a"),
  "params in a message": { paramKind, ...message("string(params.a)") },
  "a field of the request": v("request.userInfo.username == 'a' && request.dryRun"),
  "no field of the request": v("request.object == null"),
  "no field of the user": v("request.userInfo.name == 'a'"),
  "a field of the namespace": v("namespaceObject.metadata.labels['a'] == 'b'"),
  "no field of the namespace": v("namespaceObject.metadata.ownerReferences == []"),
  "a number from the namespace": v("namespaceObject.metadata.name == 1"),
  authorizer: v("authorizer.group('').resource('pods').check('get').allowed()"),
  "authorizer, request's resource": v("authorizer.requestResource.check('get').allowed()"),
  "authorizer in a message": message("authorizer.path('/x').check('get').reason()"),
  "message is no string": message("1"),
  "message is dyn": message("object.a"),
  "message is blank": message(" "),
  "message does not parse": message("'a' +"),
  "message beside a text with a break": message("'a'", { message: "a\nb" }),
  variables: variables({ a: "object.a", b: "variables.a + 1" }, "variables.b == 2"),
  "no variables": v("variables.a == 1"),
  "no such variable": variables({ a: "1" }, "variables.b == 1"),
  "variable before it is there": variables({ a: "variables.b", b: "1" }, "variables.a == 1"),
  "variable of another type": variables({ a: "'x'" }, "variables.a == 1"),
  "variable of a list": variables({ a: "[1]" }, "variables.a[0] == 'x'"),
  "variable of a map": variables({ a: "{'x': 1}" }, "variables.a['x'] == 'x'"),
  "variable of a message type": variables({ a: "request.userInfo" }, "variables.a.nothing == 1"),
  "variable that does not compile": variables({ a: "nothing" }, "variables.a == 1"),
  "variable twice": variables({ a: "1" }, "variables.a == 1 && variables['a'] == 1"),
  "variable with a bad name": variables({ "a-b": "1" }, "true"),
  "variable with no expression": variables({ a: " " }, "variables.a == 1"),
  "variables in a condition": { ...variables({ a: "1" }, "true"), ...conditions("variables.a == 1") },
  "condition is no bool": conditions("1"),
  "conditions, spaces around": conditions("  true  ", "\n1"),
  "condition is blank": conditions(" "),
  annotation: annotations("'a'", "null", "object.a == 1 ? 'x' : ''"),
  "annotation, dyn": annotations("object.a"),
  "annotation, either": annotations("object == null ? 'a' : null"),
  "annotation is a number": annotations("1"),
  "annotation does not parse": annotations(" 'a' + "),
  "annotation is blank": annotations(" "),
  "annotation is long": annotations(`'${"x".repeat(5200)}'`),
  "objects are not made here": v("Object{} == Object{}"),
  "patches are not made here": v("JSONPatch{op: 'add'}.op == 'add'"),
  "two variables": v("{'a': 1}.all(k, x, k == 'a' && x == 1)"),
  "mixed list": v("[1, 'a'].size() == 2"),
}

export function written(namespace: string): Step[] {
  return Object.entries(cases).map(([name, spec], i) =>
    post(name, `${validating}?dryRun=All`, {
      metadata: { name: `${namespace}-${i}` },
      spec: { matchConstraints: constraints(namespace, rule("deployments")), ...spec },
    } as Body),
  )
}

const apply = (expression: string): Loose => ({
  patchType: "ApplyConfiguration",
  applyConfiguration: { expression },
})
const jsonPatch = (expression: string): Loose => ({ patchType: "JSONPatch", jsonPatch: { expression } })

const mutations: Readonly<Record<string, Loose>> = {
  apply: apply("Object{spec: Object.spec{replicas: 1}}"),
  "apply, fields of any name": apply("Object{x: Object.y{z: [Object.w{}]}}"),
  "apply is no object": apply("1"),
  "apply is an inner object": apply("Object.spec{}"),
  "apply is a map": apply("{'spec': 1}"),
  "apply of an unknown type": apply("Other{}"),
  "apply does not parse": apply("Object{spec"),
  "apply, spaces around": apply(" \n Object{x: nothing} "),
  "apply is blank": apply(" "),
  "apply with a variable": apply("Object{x: variables.none}"),
  "patch of nothing": jsonPatch("[]"),
  patch: jsonPatch("[JSONPatch{op: 'add', path: '/a', value: 1}]"),
  "patch of any value": jsonPatch("[JSONPatch{op: 'add', path: '/a', value: Object.a{b: 1}}]"),
  "patch with a number": jsonPatch("[JSONPatch{op: 1, path: '/a'}]"),
  "patch with another field": jsonPatch("[JSONPatch{operation: 'add'}]"),
  "patch is one": jsonPatch("JSONPatch{op: 'remove', path: '/a'}"),
  "patch of objects": jsonPatch("[Object{}]"),
  "patch with a key": jsonPatch("[JSONPatch{op: 'remove', path: '/a/' + jsonpatch.escapeKey('b/c')}]"),
  "patch does not parse": jsonPatch("[JSONPatch{"),
  "patch is blank": jsonPatch(""),
  "neither field": { patchType: "JSONPatch" },
  "another type": { patchType: "Merge" },
}

export function writtenMutating(namespace: string): Step[] {
  return Object.entries(mutations).map(([name, mutation], i) =>
    post(name, `${mutating}?dryRun=All`, {
      metadata: { name: `${namespace}-${i}` },
      spec: {
        matchConstraints: constraints(namespace, rule("deployments", { operations: ["CREATE"] })),
        reinvocationPolicy: "Never",
        mutations: [mutation],
      },
    } as Body),
  )
}
