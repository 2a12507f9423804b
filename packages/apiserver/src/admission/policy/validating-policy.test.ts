import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  configMap,
  customResourceDefinition,
  horizontalPodAutoscalerV1,
  validatingAdmissionPolicy,
  validatingAdmissionPolicyBinding,
} from "@knarr/api"
import { createObject } from "../../registry/create.ts"
import { refusalMessage, refusalOf } from "../../testing.ts"
import { configMaps, install as installOn, made, planeForTests } from "./testing.ts"

const shared = planeForTests()
const install = (name: string, spec: object, binding?: object): Promise<void> =>
  installOn(shared.plane, "validating", name, spec, binding)
const typed = { apiVersion: "v1", kind: "ConfigMap" }
const create = (name: string, more: object = {}): Promise<unknown> =>
  shared.plane.client().create(configMap, made(name, more))

describe("validating policies", () => {
  it("refuse with the next request after they were written, and stop with the next after they are gone", async () => {
    const validations = [{ expression: "object.metadata.name != 'bad'", reason: "Forbidden" }]
    await install("names", { validations })
    await create("good")
    const status = await refusalOf(create("bad"))
    assert.equal(status?.code, 403)
    assert.equal(status?.reason, "Forbidden")
    const why =
      "ValidatingAdmissionPolicy 'names' with binding 'names-bound' denied request: failed expression: object.metadata.name != 'bad'"
    assert.equal(status?.message, `configmaps "bad" is forbidden: ${why}`)
    assert.deepEqual(status?.details?.causes, [{ message: why }])
    await shared.plane.client().delete(validatingAdmissionPolicyBinding, { name: "names-bound" })
    await create("bad")
  })

  it("tell messages that they compute, or the one they have", async () => {
    const validations = [
      { expression: "!has(object.data.a)", messageExpression: "'a is ' + object.data.a", message: "no a" },
      { expression: "!has(object.data.b)", messageExpression: "string(object.data.none)", message: "no b" },
    ]
    const variables = [{ name: "fine", expression: "object.metadata.name.startsWith('x')" }]
    await install("messages", { validations, variables })
    const by = "ValidatingAdmissionPolicy 'messages' with binding 'messages-bound' denied request: "
    assert.match((await refusalMessage(create("x", { data: { a: "1" } })))!, new RegExp(`${by}a is 1$`))
    assert.match((await refusalMessage(create("x", { data: { b: "1" } })))!, new RegExp(`${by}no b$`))
  })

  it("warn, and say more than one thing", async () => {
    const validations = [
      { expression: "object.metadata.name != 'bad'" },
      { expression: "namespaceObject.metadata.name != 'default'", message: "not here" },
    ]
    await install("warns", { validations }, { validationActions: ["Warn", "Audit"] })
    const storage = shared.plane.registry.storage(configMap)
    const warnings: string[] = []
    const annotations: string[][] = []
    await createObject(storage, "default", made("bad", typed), {
      user: { name: "me", groups: [] },
      fieldManager: "",
      dryRun: false,
      options: {},
      warnings,
      annotate: (key, value) => void annotations.push([key, value]),
    })
    const by = "Validation failed for ValidatingAdmissionPolicy 'warns' with binding 'warns-bound': "
    assert.deepEqual(warnings, [`${by}failed expression: object.metadata.name != 'bad'`, `${by}not here`])
    assert.equal(annotations[0]![0], "validation.policy.admission.k8s.io/validation_failure")
    assert.deepEqual(
      (JSON.parse(annotations[0]![1]!) as { expressionIndex: number }[]).map((one) => one.expressionIndex),
      [0, 1],
    )
  })

  it("are evaluated for each parameter, by name or selector, and say when there is none", async () => {
    const validations = [{ expression: "int(params.data.most) >= size(object.data)", reason: "Invalid" }]
    const matchConstraints = { resourceRules: [{ ...configMaps, operations: ["CREATE"] }] }
    const spec = { paramKind: { apiVersion: "v1", kind: "ConfigMap" }, validations, matchConstraints }
    await shared.plane.client().create(
      configMap,
      made("limit", {
        metadata: { name: "limit", namespace: "kube-system", labels: { l: "1" } },
        data: { most: "1" },
      }),
    )
    const paramRef = { name: "limit", namespace: "kube-system", parameterNotFoundAction: "Deny" }
    await install("sizes", spec, { validationActions: ["Deny"], paramRef })
    await create("small", { data: { a: "1" } })
    const tooLarge = create("large", { data: { a: "1", b: "2" } })
    assert.match((await refusalMessage(tooLarge))!, /failed expression: int\(params\.data\.most\)/)
    await shared.plane.client().delete(configMap, { name: "limit", namespace: "kube-system" })
    assert.match(
      (await refusalMessage(create("x", { data: {} })))!,
      /^configmaps "x" is forbidden: ValidatingAdmissionPolicy 'sizes' with binding 'sizes-bound' denied request: failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction$/,
    )
  })

  it("take custom resources as parameters, and say that their kind is gone", async () => {
    const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } }
    await shared.plane.client().create(customResourceDefinition, {
      metadata: { name: "limits.example.com" },
      spec: {
        group: "example.com",
        scope: "Namespaced",
        names: { plural: "limits", kind: "Limit" },
        versions: [{ name: "v1", served: true, storage: true, schema }],
      },
    } as never)
    await until(() => shared.plane.registry.findKind("example.com", "v1", "Limit") !== undefined)
    const { kind } = shared.plane.registry.findKind("example.com", "v1", "Limit")!
    await shared.plane.client().create(kind, made("one", { most: 0 }))
    const validations = [{ expression: "params.most >= size(object.data)" }]
    const spec = { paramKind: { apiVersion: "example.com/v1", kind: "Limit" }, validations }
    const paramRef = { selector: {}, parameterNotFoundAction: "Allow" }
    await install("custom", spec, { validationActions: ["Deny"], paramRef })
    const refused = create("x", { data: { a: "1" } })
    assert.match((await refusalMessage(refused))!, /failed expression: params\.most/)
    await shared.plane.client().delete(customResourceDefinition, { name: "limits.example.com" })
    await until(() => shared.plane.registry.findKind("example.com", "v1", "Limit") === undefined)
    assert.match(
      (await refusalMessage(create("x", { data: { a: "1" } })))!,
      /'custom' denied request: failed to configure policy: failed to find resource referenced by paramKind: 'example\.com\/v1, Kind=Limit'$/,
    )
  })

  it("see the version that they ask for, and match others that are the same", async () => {
    const autoscalers = {
      operations: ["CREATE"],
      apiGroups: ["autoscaling"],
      apiVersions: ["v2"],
      resources: ["horizontalpodautoscalers"],
    }
    const validations = [
      {
        expression:
          "request.kind.version == 'v2' && request.requestKind.version == 'v1' && has(object.spec.metrics)",
      },
      { expression: "false", messageExpression: "string(object.spec.metrics[0].type)" },
    ]
    await install("versions", { validations, matchConstraints: { resourceRules: [autoscalers] } })
    const spec = {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "d" },
      maxReplicas: 2,
      targetCPUUtilizationPercentage: 50,
    }
    const refused = shared.plane.client().create(horizontalPodAutoscalerV1, made("h", { spec }))
    assert.match((await refusalMessage(refused))!, /denied request: Resource$/)
  })

  it("leave out what conditions, rules and selectors leave out", async () => {
    const validations = [{ expression: "false" }]
    const matchConstraints = {
      resourceRules: [{ ...configMaps, resourceNames: ["only", "conditioned"] }],
      excludeResourceRules: [{ ...configMaps, operations: ["DELETE"] }],
      objectSelector: { matchLabels: { judged: "yes" } },
    }
    const matchConditions = [{ name: "c", expression: "object.metadata.name != 'conditioned'" }]
    await install("narrow", { validations, matchConstraints, matchConditions })
    const labels = { judged: "yes" }
    await create("other", { metadata: { name: "other", namespace: "default", labels } })
    await create("conditioned", { metadata: { name: "conditioned", namespace: "default", labels } })
    await create("only")
    await shared.plane.client().delete(configMap, { name: "only", namespace: "default" })
    const only = create("only", { metadata: { name: "only", namespace: "default", labels } })
    assert.match((await refusalMessage(only))!, /failed expression: false/)
  })

  it("fail as their failure policy says, and never without end", async () => {
    const many = `[${Array.from({ length: 60 }, (_, i) => i).join(",")}]`
    const costly = `${many}.all(a, ${many}.all(b, ${many}.all(c, a + b + c >= 0)))`
    await install("costly", { validations: [{ expression: costly }] })
    assert.match(
      (await refusalMessage(create("x")))!,
      /resulted in error: operation cancelled: actual cost limit exceeded$/,
    )
    await shared.plane.client().delete(validatingAdmissionPolicyBinding, { name: "costly-bound" })
    await install("ignored", {
      validations: [{ expression: "object.none == 1" }],
      failurePolicy: "Ignore",
    })
    await create("x")
  })

  it("ask the authorizer for whom the request is", async () => {
    const validations = [
      { expression: "authorizer.requestResource.check('breathe').allowed()", message: "may not breathe" },
    ]
    await install("asks", { validations })
    await create("master")
    const somebody = { name: "somebody", groups: ["system:authenticated"] }
    const request = { user: somebody, fieldManager: "", dryRun: false, options: {}, warnings: [] }
    const refused = createObject(
      shared.plane.registry.storage(configMap),
      "default",
      made("x", typed),
      request,
    )
    assert.match((await refusalMessage(refused))!, /denied request: may not breathe$/)
  })

  it("never judge what configures admission", async () => {
    const everything = { operations: ["*"], apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"] }
    const matchConstraints = { resourceRules: [everything] }
    await install("all", { validations: [{ expression: "false" }], matchConstraints })
    assert.match((await refusalMessage(create("x")))!, /failed expression: false/)
    await shared.plane.client().delete(validatingAdmissionPolicy, { name: "all" })
    await create("x")
  })
})

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => void setImmediate(resolve))
}
