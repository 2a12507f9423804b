import assert from "node:assert/strict"
import { test } from "node:test"
import * as field from "./field-error.ts"
import * as status from "./status.ts"
import * as ask from "./status-predicates.ts"

const pods = { group: "", resource: "pods" }
const deployments = { group: "apps", resource: "deployments" }

const messages: [status.StatusError, number, string, string][] = [
  [status.notFound(pods, "a"), 404, "NotFound", 'pods "a" not found'],
  [status.alreadyExists(deployments, "a"), 409, "AlreadyExists", 'deployments.apps "a" already exists'],
  [status.unauthorized(), 401, "Unauthorized", "not authorized"],
  [status.forbidden(pods, "a", "no"), 403, "Forbidden", 'pods "a" is forbidden: no'],
  [status.forbidden(pods, "", "no"), 403, "Forbidden", "pods is forbidden: no"],
  [status.forbidden({ group: "", resource: "" }, "", "no"), 403, "Forbidden", "forbidden: no"],
  [
    status.conflict(pods, "a", status.optimisticLockMessage),
    409,
    "Conflict",
    'Operation cannot be fulfilled on pods "a": the object has been modified; ' +
      "please apply your changes to the latest version and try again",
  ],
  [status.badRequest("bad"), 400, "BadRequest", "bad"],
  [status.timeout("slow", 1), 504, "Timeout", "Timeout: slow"],
  [
    status.serverTimeout(pods, "list", 2),
    500,
    "ServerTimeout",
    "The list operation against pods could not be completed at this time, please try again.",
  ],
  [
    status.methodNotSupported(deployments, "create"),
    405,
    "MethodNotAllowed",
    'create is not supported on resources of kind "deployments.apps"',
  ],
  [status.internalError(new Error("x")), 500, "InternalError", "Internal error occurred: x"],
  [
    status.requestEntityTooLarge("limit is 3"),
    413,
    "RequestEntityTooLarge",
    "Request entity too large: limit is 3",
  ],
  [
    status.genericServerResponse(404, "GET", pods, "a", ""),
    404,
    "NotFound",
    "the server could not find the requested resource (get pods a)",
  ],
  [
    status.genericServerResponse(502, "GET", { group: "", resource: "" }, "", "oops"),
    502,
    "InternalError",
    'an error on the server ("oops") has prevented the request from succeeding',
  ],
]

for (const [error, code, reason, message] of messages) {
  test(`status ${code} ${reason}`, () => {
    assert.equal(error.code, code)
    assert.equal(error.reason, reason)
    assert.equal(error.message, message)
    assert.equal(error.status.message, message)
  })
}

test("invalid lists causes and aggregates each message once", () => {
  const errors = [
    field.invalid("spec.replicas", -1, "must be greater than or equal to 0"),
    field.required("spec.selector", ""),
    field.required("spec.selector", ""),
  ]
  const error = status.invalid({ group: "apps", kind: "Deployment" }, "d", errors)
  assert.equal(
    error.message,
    'Deployment.apps "d" is invalid: [spec.replicas: Invalid value: -1: must be greater than or equal to 0, ' +
      "spec.selector: Required value]",
  )
  assert.deepEqual(error.status.details, {
    name: "d",
    group: "apps",
    kind: "Deployment",
    causes: [
      {
        reason: "FieldValueInvalid",
        message: "Invalid value: -1: must be greater than or equal to 0",
        field: "spec.replicas",
      },
      { reason: "FieldValueRequired", message: "Required value", field: "spec.selector" },
      { reason: "FieldValueRequired", message: "Required value", field: "spec.selector" },
    ],
  })
})

test("field errors are worded as upstream's", () => {
  const all: [field.FieldError, string][] = [
    [field.notSupported("a", "x", ["b", "c"]), 'a: Unsupported value: "x": supported values: "b", "c"'],
    [field.duplicate("a[0].name", "x"), 'a[0].name: Duplicate value: "x"'],
    [field.invalid("a", { b: ["<"] }, "no"), 'a: Invalid value: {"b":["\\u003c"]}: no'],
    [field.invalid("a", undefined, "no"), "a: Invalid value: null: no"],
    [field.tooLong("a", "xyz", 2), "a: Too long: may not be more than 2 bytes"],
    [field.tooMany("a", 3, 1), "a: Too many: 3: must have at most 1 item"],
    [field.tooMany("a", -1, 2), "a: Too many: must have at most 2 items"],
    [field.forbidden("a", "no"), "a: Forbidden: no"],
    [field.notFound("a", "b"), 'a: Not found: "b"'],
    [field.typeInvalid("a", 1.5, "x"), "a: Invalid value: 1.5: x"],
    [field.internalError("a", new Error("b")), "a: Internal error: b"],
  ]
  for (const [error, text] of all) assert.equal(field.fieldErrorMessage(error), text)
  assert.equal(field.key(field.index(field.child("spec", "a", "b"), 1), "k"), "spec.a.b[1][k]")
  assert.equal(field.child("", "a"), "a")
})

test("predicates read the reason, also of a cause, and the code only for unknown reasons", () => {
  assert.ok(ask.isNotFound(status.notFound(pods, "a")))
  assert.ok(ask.isNotFound(new Error("wrapped", { cause: status.notFound(pods, "a") })))
  assert.ok(!ask.isConflict(status.alreadyExists(pods, "a")))
  assert.ok(ask.isAlreadyExists(status.alreadyExists(pods, "a")))
  assert.ok(ask.isExpired(status.resourceExpired("old")))
  assert.ok(!ask.isGone(status.resourceExpired("old")))
  const odd = status.statusErrorFrom({
    apiVersion: "v1",
    kind: "Status",
    metadata: {},
    code: 404,
    reason: "Odd",
  })
  assert.ok(ask.isNotFound(odd))
  assert.ok(!ask.isNotFound(new Error("x")))
  assert.ok(!ask.isNotFound(undefined))
  assert.equal(ask.suggestsClientDelay(status.tooManyRequests("x", 3)), 3)
  assert.equal(ask.suggestsClientDelay(status.notFound(pods, "a")), undefined)
})
