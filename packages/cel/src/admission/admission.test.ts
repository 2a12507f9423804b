import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { authorizerValue, requestResourceValue } from "../libraries/authorizer.ts"
import { boolType, listOf, stringType } from "../check/types.ts"
import { Activation, OutOfBudget } from "./activation.ts"
import { AdmissionCompiler } from "./compiler.ts"
import { jsonValue } from "./json-value.ts"
import { MadeObject, MadeOperation, jsonPatchType, objectType } from "./mutation-types.ts"

const values = {
  object: { metadata: { name: "x", labels: { a: "b" } }, spec: { replicas: 3 } },
  oldObject: null,
  namespaceObject: null,
  request: { operation: "CREATE", userInfo: { username: "me" } },
  params: null,
}
const budget = 10_000_000

function evaluate(text: string, variables: Record<string, string> = {}): unknown {
  const compiler = new AdmissionCompiler({ params: true, composed: true })
  for (const [name, expression] of Object.entries(variables)) compiler.variable(name, expression)
  const { value, error } = new Activation(values, compiler.variables, budget).evaluate(compiler.compile(text))
  return error ?? value
}

describe("expressions of admission", () => {
  it("see the request, objects and parameters", () => {
    assert.equal(evaluate("object.spec.replicas <= 3 && oldObject == null && params == null"), true)
    assert.equal(evaluate("request.operation + request.userInfo.username"), "CREATEme")
    assert.equal(
      evaluate("object.spec.nothing == 1"),
      "expression 'object.spec.nothing == 1' resulted in error: no such key: nothing",
    )
  })

  it("have variables that are evaluated once, when they are read, and have types", () => {
    const variables = { count: "object.spec.replicas", double: "variables.count * 2", bad: "object.x.y" }
    assert.equal(evaluate("variables.double == 6", variables), true)
    assert.equal(
      evaluate("variables.bad", variables),
      "expression 'variables.bad' resulted in error: composited variable \"bad\" fails to evaluate: no such key: x",
    )
    const compiler = new AdmissionCompiler({ params: false, composed: true })
    compiler.variable("text", "'a'")
    const { problem } = compiler.compile("variables.text + 1")
    assert.match(problem!.detail, /^compilation failed: ERROR: <input>:1:16: found no matching overload/)
    assert.match(compiler.compile("variables.none").problem!.detail, /undefined field 'none'/)
  })

  it("are refused when their type is another", () => {
    const compiler = new AdmissionCompiler({ params: false, composed: false })
    const detail = (text: string, returns: never[]): string | undefined =>
      compiler.compile(text, { returns }).problem?.detail
    assert.equal(detail("'a'", [boolType] as never[]), "must evaluate to bool but got string")
    assert.equal(
      detail("1", [stringType, boolType] as never[]),
      "must evaluate to one of [string bool] but got int",
    )
    assert.match(detail("params", [boolType] as never[])!, /undeclared reference to 'params'/)
    assert.match(
      compiler.compile("authorizer.path('/x')", { authorizer: false }).problem!.detail,
      /undeclared reference to 'authorizer'/,
    )
  })

  it("stand on hundreds of variables, each on the one before it", () => {
    const compiler = new AdmissionCompiler({ params: false, composed: true })
    compiler.variable("v0", "1")
    for (let i = 1; i < 400; i++) compiler.variable(`v${i}`, `variables.v${i - 1} + 1`)
    const activation = new Activation(values, compiler.variables, budget)
    assert.equal(activation.evaluate(compiler.compile("variables.v399 == 400")).value, true)
  })

  it("end when all of them together have cost too much", () => {
    const compiler = new AdmissionCompiler({ params: false, composed: true })
    const many = `[${Array.from({ length: 100 }, (_, i) => i).join(",")}]`
    for (let i = 0; i < 20; i++)
      compiler.variable(`v${i}`, `${many}.all(a, ${many}.all(b, a + b + ${i} >= 0))`)
    const all = Array.from({ length: 20 }, (_, i) => `variables.v${i}`).join(" && ")
    const activation = new Activation(values, compiler.variables, 500_000)
    assert.throws(() => activation.evaluate(compiler.compile(all)), OutOfBudget)
    assert.equal(activation.left, -1)
  })

  it("ask the authorizer about the request's resource", () => {
    const compiler = new AdmissionCompiler({ params: false, composed: false })
    const asked: object[] = []
    const ask = (question: object): { allowed: boolean; reason: string } => {
      asked.push(question)
      return { allowed: true, reason: "" }
    }
    const activation = new Activation(
      {
        ...values,
        authorizer: authorizerValue(ask),
        "authorizer.requestResource": requestResourceValue(ask, { resource: "pods", namespace: "n" }),
      },
      compiler.variables,
      budget,
    )
    const text =
      "authorizer.requestResource.check('use').allowed() && authorizer.path('/x').check('get').allowed()"
    assert.equal(activation.evaluate(compiler.compile(text)).value, true)
    assert.deepEqual(asked, [
      { resource: "pods", namespace: "n", verb: "use" },
      { path: "/x", verb: "get" },
    ])
  })
})

describe("expressions of mutations", () => {
  const make = (text: string, returns: never[]): unknown => {
    const compiler = new AdmissionCompiler({ params: false, composed: true })
    const expression = compiler.compile(text, { returns, mutates: true })
    assert.equal(expression.problem, undefined)
    const { value, error } = new Activation(values, compiler.variables, budget).evaluate(expression)
    assert.equal(error, undefined)
    return value
  }

  it("make objects of any fields, and their types are named after them", () => {
    const made = make(
      "Object{metadata: Object.metadata{labels: {'x': string(object.spec.replicas)}}, spec: Object.spec{list: [Object.spec.list{n: 1}]}}",
      [objectType] as never[],
    ) as MadeObject
    assert.deepEqual(jsonValue(made), { metadata: { labels: { x: "3" } }, spec: { list: [{ n: 1 }] } })
    assert.equal(made.nameMismatch(), "")
    const wrong = make("Object{spec: Object.wrong{}}", [objectType] as never[]) as MadeObject
    assert.equal(
      wrong.nameMismatch(),
      'unexpected type name "Object.wrong", expected "Object.spec", which matches field name path from root Object type',
    )
  })

  it("make operations of patches", () => {
    const list = make(
      "[JSONPatch{op: 'add', path: '/metadata/labels/' + jsonpatch.escapeKey('a/b'), value: object.metadata.labels}]",
      [listOf(jsonPatchType)] as never[],
    ) as { get(index: number): MadeOperation }
    const operation = list.get(0)
    assert.equal(operation.path, "/metadata/labels/a~1b")
    assert.deepEqual(jsonValue(operation.value!), { a: "b" })
  })

  it("are not to be had elsewhere", () => {
    const compiler = new AdmissionCompiler({ params: false, composed: false })
    assert.match(compiler.compile("Object{}").problem!.detail, /undeclared reference to 'Object'/)
  })
})
