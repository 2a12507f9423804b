import assert from "node:assert/strict"
import { test } from "node:test"
import { schemaOf } from "@knarr/apimachinery"
import {
  CelEnvironment,
  CelIssues,
  EntriesMap,
  PendingDecision,
  authorizerType,
  authorizerValue,
  celSchemaOf,
  declTypeOf,
  dynType,
  intType,
  jsonPatchFunctions,
  overload,
  plainValue,
  schemaValue,
  stringType,
  structOf,
  type AuthorizationAnswer,
  type AuthorizationQuestion,
  type CompiledExpression,
  type EnvironmentOptions,
  type Value,
} from "./index.ts"

function compile(text: string, options: EnvironmentOptions = {}): CompiledExpression {
  const compiled = new CelEnvironment(options).compile(text)
  assert.ok(!(compiled instanceof CelIssues), String(compiled))
  return compiled
}

function issuesOf(text: string): string {
  const compiled = new CelEnvironment().compile(text)
  assert.ok(compiled instanceof CelIssues)
  return compiled.toString()
}

test("an authorizer that knows the answer is asked, one that must wait ends the evaluation with the question", () => {
  const text =
    'authorizer.group("apps").resource("deployments").namespace("ns").name("web").check("delete").allowed()'
  const program = compile(text, {
    variables: { authorizer: { type: authorizerType, read: (raw) => raw as Value } },
  }).program()
  const answers = new Map<string, AuthorizationAnswer>()
  const ask = (question: AuthorizationQuestion): AuthorizationAnswer | undefined =>
    answers.get(JSON.stringify(question))
  const evaluate = (): unknown => program.evaluate({ authorizer: authorizerValue(ask) })
  let asked: AuthorizationQuestion | undefined
  assert.throws(evaluate, (thrown: unknown) => {
    asked = thrown instanceof PendingDecision ? thrown.question : undefined
    return true
  })
  assert.deepEqual(asked, {
    group: "apps",
    resource: "deployments",
    namespace: "ns",
    name: "web",
    verb: "delete",
  })
  answers.set(JSON.stringify(asked), { allowed: true, reason: "" })
  assert.deepEqual(evaluate(), { value: true, cost: 350_006 })
})

test("an environment takes functions and types of its own", () => {
  const patch = structOf("JSONPatch")
  const environment: EnvironmentOptions = {
    structs: [
      {
        type: patch,
        field: (name) => (name === "op" ? stringType : name === "value" ? dynType : undefined),
        create: (fields) =>
          new EntriesMap(new Map(Array.from(fields, ([name, value]) => [name, [name, value] as const]))),
      },
    ],
    functions: {
      twice: [{ overload: overload("twice_int", "int", "int"), run: (value) => Number(value) * 2 }],
    },
  }
  assert.deepEqual(compile("twice(21)", environment).program().evaluate({}), { value: 42, cost: 1 })
  const made = compile('JSONPatch{op: "add", value: 1}', environment).program().evaluate({})
  assert.ok(made.value instanceof EntriesMap)
  assert.equal(made.value.find("op"), "add")
  const wrong = new CelEnvironment(environment).compile("JSONPatch{op: 1}")
  assert.match(String(wrong), /expected type of field 'op' is 'string' but provided type is 'int'/)
})

test("an extended environment has what was there and more", () => {
  const environment = new CelEnvironment({ variables: { a: { type: intType } } }).extend({
    variables: { b: { type: intType } },
  })
  const compiled = environment.compile("a + b")
  assert.ok(!(compiled instanceof CelIssues))
  assert.equal(compiled.program().evaluate({ a: 1, b: 2 }).value, 3)
  assert.deepEqual(compiled.program().variables, ["a", "b"])
})

test("a variable is read when it is looked at and not before, and once", () => {
  const read: string[] = []
  const variable = (name: string) => ({
    type: dynType,
    read: (raw: unknown): Value => {
      read.push(name)
      return plainValue(raw)
    },
  })
  const program = compile("a.x == 1 && a.y == 2 || b", {
    variables: { a: variable("a"), b: variable("b") },
  }).program()
  assert.equal(program.evaluate({ a: { x: 1, y: 2 }, b: false }).value, true)
  assert.deepEqual(read, ["a"])
})

test("nothing is nested, long or wrong without bound", () => {
  assert.match(issuesOf("(".repeat(90_000)), /expression recursion limit exceeded: 250/)
  assert.match(issuesOf("!(".repeat(40_000)), /expression recursion limit exceeded: 250/)
  assert.match(issuesOf(`1${"+1".repeat(40_000)}`), /max recursion depth exceeded/)
  assert.match(
    issuesOf("x".repeat(100_001)),
    /expression code point size exceeds limit: size: 100001, limit 100000/,
  )
  assert.match(issuesOf("@".repeat(10_000)), /1 more errors were truncated/)
  assert.match(issuesOf("a b ".repeat(20_000)), /mismatched input 'b' expecting <EOF>/)
  assert.equal(
    compile(`[${"1,".repeat(40_000)}1].size()`)
      .program()
      .evaluate({}).value,
    40_001,
  )
  assert.equal(
    compile(`'${"a".repeat(50_000)}!'.matches('^(a+)+$')`)
      .program()
      .evaluate({}).value,
    false,
  )
})

test("loops end at the cost limit, and those that cost nothing too", () => {
  const square = compile("lists.range(1000).map(a, lists.range(1000).map(b, a * b)).size()").program()
  assert.deepEqual(
    square.evaluate({}, { costLimit: 1000 }).error,
    "operation cancelled: actual cost limit exceeded",
  )
  const list = Array.from({ length: 3000 }, (_, i) => i)
  const free = compile("l.exists_one(a, l.exists_one(b, l.exists_one(c, false)))", {
    variables: { l: { type: dynType } },
  }).program()
  assert.deepEqual(free.evaluate({ l: list }).error, "operation interrupted")
})

test("devices' selectors have cel.bind, mutating policies escape keys, others do not", () => {
  assert.equal(compile("cel.bind(a, 20, a + a + 2)", { bind: true }).program().evaluate({}).value, 42)
  assert.match(issuesOf("cel.bind(a, 1, a)"), /undeclared reference to 'cel'/)
  const escaped = compile("jsonpatch.escapeKey('a/b~c')", { functions: jsonPatchFunctions })
    .program()
    .evaluate({})
  assert.deepEqual(escaped, { value: "a~1b~0c", cost: 1 })
})

test("built-in shapes are schemas too", () => {
  const schema = celSchemaOf(schemaOf("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"))
  const type = declTypeOf(schema, "ObjectMeta")!
  const options: EnvironmentOptions = {
    types: [type],
    variables: { meta: { type: type.cel, read: (raw) => schemaValue(raw, schema) } },
  }
  const meta = {
    name: "a",
    labels: { app: "web" },
    creationTimestamp: "2024-01-01T00:00:00Z",
    ownerReferences: [{ kind: "Job", uid: "1" }],
  }
  const text =
    "meta.labels.app == 'web' && meta.creationTimestamp < timestamp('2025-01-01T00:00:00Z') && meta.ownerReferences[0].kind == 'Job'"
  assert.equal(compile(text, options).program().evaluate({ meta }).value, true)
  assert.match(String(new CelEnvironment(options).compile("meta.nmae")), /undefined field 'nmae'/)
})
