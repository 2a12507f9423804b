import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { configMap, deployment, horizontalPodAutoscalerV1 } from "@knarr/api"
import { refusalMessage, refusalOf } from "../../testing.ts"
import { install as installOn, made, planeForTests } from "./testing.ts"

const shared = planeForTests()
const install = (name: string, spec: object, binding?: object): Promise<void> =>
  installOn(shared.plane, "mutating", name, { reinvocationPolicy: "Never", ...spec }, binding)
const create = async (name: string, more: object = {}): Promise<Record<string, string> | undefined> => {
  const { data } = await shared.plane.client().create(configMap, made(name, more))
  return data as Record<string, string> | undefined
}
const apply = (expression: string): object => ({
  patchType: "ApplyConfiguration",
  applyConfiguration: { expression },
})
const jsonPatch = (expression: string): object => ({ patchType: "JSONPatch", jsonPatch: { expression } })

describe("mutating policies", () => {
  it("merge configurations and apply patches, one on the other", async () => {
    const mutations = [
      apply('Object{data: {"seen": object.metadata.name}}'),
      jsonPatch('[JSONPatch{op: "add", path: "/data/more", value: object.data.seen + "!"}]'),
      jsonPatch(
        '[JSONPatch{op: "test", path: "/data/more", value: "other"}, JSONPatch{op: "remove", path: "/data"}]',
      ),
    ]
    await install("merge", { mutations })
    assert.deepEqual(await create("x", { data: { a: "1" } }), { a: "1", seen: "x", more: "x!" })
  })

  it("merge lists by their keys, and leave alone what is owned as a whole", async () => {
    const deployments = {
      operations: ["CREATE"],
      apiGroups: ["apps"],
      apiVersions: ["v1"],
      resources: ["deployments"],
    }
    const container =
      'Object.spec.template.spec.containers{name: object.spec.template.spec.containers[0].name, env: [Object.spec.template.spec.containers.env{name: "A", value: "b"}]}'
    const mutations = [
      apply(
        `Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{containers: [${container}]}}}}`,
      ),
    ]
    await install("lists", { matchConstraints: { resourceRules: [deployments] }, mutations })
    const labels = { app: "x" }
    const template = { metadata: { labels }, spec: { containers: [{ name: "c", image: "i" }] } }
    const spec = { selector: { matchLabels: labels }, template }
    const { spec: got } = await shared.plane.client().create(deployment, made("d", { spec }))
    const [first] = got.template.spec!.containers
    assert.deepEqual([first!.image, first!.env], ["i", [{ name: "A", value: "b" }]])
    await install("atomic", {
      matchConstraints: { resourceRules: [deployments] },
      mutations: [apply("Object{spec: Object.spec{selector: Object.spec.selector{}}}")],
    })
    const status = await refusalOf(shared.plane.client().create(deployment, made("e", { spec })))
    const why =
      "policy 'atomic' with binding 'atomic-bound' denied request: error applying patch: invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: .spec.selector"
    assert.deepEqual(
      [status?.message, status?.reason, status?.code, status?.details?.causes],
      [why, "Invalid", 403, [{ message: why }]],
    )
  })

  it("say what is wrong with what they make", async () => {
    const of = "policy 'wrong' with binding 'wrong-bound' denied request: "
    for (const [mutation, why] of [
      [
        apply("Object{nothing: 1}"),
        "error applying patch: failed to convert patch object to typed object: .nothing: field not declared in schema",
      ],
      [
        apply("Object{metadata: Object.other{}}"),
        'type mismatch: unexpected type name "Object.other", expected "Object.metadata", which matches field name path from root Object type',
      ],
      [
        jsonPatch('[JSONPatch{op: "remove", path: "/data/none"}]'),
        "JSON Patch: error in remove for path: '/data/none': Unable to remove nonexistent key: none: missing value",
      ],
      [
        jsonPatch('[JSONPatch{op: "add", path: "/data/x", value: object.none}]'),
        'expression \'[JSONPatch{op: "add", path: "/data/x", value: object.none}]\' resulted in error: no such key: none',
      ],
    ] as const) {
      await install("wrong", { mutations: [mutation] })
      assert.equal(await refusalMessage(create("x", { data: { a: "1" } })), of + why)
      for (const kind of ["mutatingadmissionpolicybindings", "mutatingadmissionpolicies"]) {
        const storage = shared.plane.registry.find("admissionregistration.k8s.io", "v1", kind)!
        const name = kind.endsWith("bindings") ? "wrong-bound" : "wrong"
        await shared.plane.client().delete(storage.kind, { name })
      }
    }
    await install("unknown", {
      mutations: [jsonPatch('[JSONPatch{op: "add", path: "/nothing", value: 1}]')],
    })
    assert.equal(
      await refusalMessage(create("x")),
      'Internal error occurred: strict decoding error: unknown field "nothing"',
    )
  })

  it("look again at what others changed, when they want to", async () => {
    const add = (key: string): object =>
      jsonPatch(`[JSONPatch{op: "add", path: "/data/" + string(size(object.data)), value: "${key}"}]`)
    await install("a", { mutations: [add("a")], reinvocationPolicy: "IfNeeded" })
    await install("b", { mutations: [add("b")] })
    assert.deepEqual(await create("x", { data: { a: "1" } }), { a: "1", 1: "a", 2: "b", 3: "a" })
  })

  it("take parameters, conditions and variables, and are left out where failures are ignored", async () => {
    const namespace = "kube-system"
    await shared.plane
      .client()
      .create(configMap, { metadata: { name: "p", namespace }, data: { say: "hello" } } as never)
    const paramRef = { name: "p", namespace, parameterNotFoundAction: "Deny" }
    await install(
      "params",
      {
        paramKind: { apiVersion: "v1", kind: "ConfigMap" },
        variables: [{ name: "say", expression: "params.data.say" }],
        matchConditions: [{ name: "c", expression: "object.metadata.name != 'out'" }],
        mutations: [apply('Object{data: {"say": string(variables.say)}}')],
      },
      { paramRef },
    )
    await install("ignored", { mutations: [apply("Object{nothing: 1}")], failurePolicy: "Ignore" })
    assert.deepEqual(await create("x"), { say: "hello" })
    assert.equal(await create("out"), undefined)
  })

  it("see the version that they ask for", async () => {
    const autoscalers = {
      operations: ["CREATE"],
      apiGroups: ["autoscaling"],
      apiVersions: ["v2"],
      resources: ["horizontalpodautoscalers"],
    }
    const mutations = [apply("Object{spec: Object.spec{maxReplicas: object.spec.maxReplicas + 1}}")]
    await install("versions", { mutations, matchConstraints: { resourceRules: [autoscalers] } })
    const spec = { scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "d" }, maxReplicas: 2 }
    const { spec: got } = await shared.plane.client().create(horizontalPodAutoscalerV1, made("h", { spec }))
    assert.equal(got.maxReplicas, 3)
  })
})
