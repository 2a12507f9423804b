import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { collectTexts, type Definition } from "./collect.ts"
import type { TypeTexts } from "./sources.ts"

const ref = (name: string) => ({ allOf: [{ $ref: `#/components/schemas/${name}` }] })

function collect(
  definitions: Record<string, Record<string, object>>,
  classes: Record<string, TypeTexts>,
  models: Record<string, TypeTexts> = {},
) {
  return collectTexts(
    Object.fromEntries(
      Object.entries(definitions).map(([name, properties]) => [name, { properties } as Definition]),
    ),
    {
      models: new Map(Object.entries(models)),
      classNames: Object.keys(classes),
      readClass: (name) => classes[name]!,
    },
  )
}

describe("texts of definitions", () => {
  it("are found by the whole name", () => {
    const extensions = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON"
    const quantity = "io.k8s.apimachinery.pkg.api.resource.Quantity"
    assert.deepEqual(
      collect(
        { [extensions]: {}, [quantity]: {} },
        {},
        {
          IoK8sApiextensionsApiserverPkgApisApiextensionsV1JSON: { "": "Any value." },
          IoK8sApimachineryPkgApiResourceQuantity: { "": "A number." },
        },
      ),
      { [extensions]: { "": "Any value." }, [quantity]: { "": "A number." } },
    )
  })

  it("are found by version and kind, or with the group before them", () => {
    const texts = collect(
      {
        "io.k8s.api.core.v1.Event": { a: {} },
        "io.k8s.api.events.v1.Event": { a: {} },
        "io.k8s.api.core.v1.Pod": {},
      },
      { CoreV1Event: { a: "core" }, EventsV1Event: { a: "events" }, V1Pod: { "": "Pod" }, all: {} },
    )
    assert.deepEqual(texts, {
      "io.k8s.api.core.v1.Event": { a: "core" },
      "io.k8s.api.events.v1.Event": { a: "events" },
      "io.k8s.api.core.v1.Pod": { "": "Pod" },
    })
  })

  it("come from the newest other version where their own has none", () => {
    const texts = collect(
      { "io.k8s.api.x.v1.Cup": { size: {}, new: {} } },
      { V1alpha2Cup: { size: "alpha" }, V1beta1Cup: { size: "beta" } },
      { IoK8sApiXV1alpha1Cup: { "": "Cup." }, IoK8sApiYV1beta1Cup: { "": "Not this one." } },
    )
    assert.deepEqual(texts, { "io.k8s.api.x.v1.Cup": { "": "Cup.", size: "beta" } })
  })

  it("do not come from a type with the same name and other fields", () => {
    const texts = collect(
      { "io.k8s.api.x.v1.Cup": { size: {} } },
      { V1alpha1Cup: { a: "A", b: "B", size: "S" } },
    )
    assert.deepEqual(texts, {})
  })

  it("go to fields whatever a generator makes of their names", () => {
    assert.deepEqual(
      collect(
        { "io.k8s.api.x.v1.Props": { $ref: {}, continue: {}, "x-kubernetes-map-type": {} } },
        { V1Props: { ref: "R", _continue: "C", x_kubernetes_map_type: "M" } },
      ),
      { "io.k8s.api.x.v1.Props": { $ref: "R", continue: "C", "x-kubernetes-map-type": "M" } },
    )
  })

  it("of fields that hold a definition are not that definition's", () => {
    const texts = collect(
      {
        "io.k8s.api.x.v1.Cup": {
          filled: ref("Time"),
          emptied: ref("Time"),
          washed: { $ref: "#/components/schemas/Time" },
        },
      },
      { V1Cup: { filled: "Time is a time.", emptied: "Time is a time.", washed: "Time is a time." } },
      { IoK8sApiXV1Cup: { filled: "When it was filled." } },
    )
    assert.deepEqual(texts, { "io.k8s.api.x.v1.Cup": { filled: "When it was filled." } })
  })

  it("are the usual ones for metadata of a kind that no model is of", () => {
    const texts = collect(
      {
        "io.k8s.api.x.v1.Pan": { metadata: ref("ObjectMeta") },
        "io.k8s.api.x.v1.Cup": { metadata: ref("ObjectMeta") },
        "io.k8s.api.x.v1.Jug": { metadata: ref("ObjectMeta") },
      },
      {},
      { IoK8sApiXV1Cup: { metadata: "Standard." }, IoK8sApiXV1Jug: { "": "Jug." } },
    )
    assert.deepEqual(texts, {
      "io.k8s.api.x.v1.Pan": { metadata: "Standard." },
      "io.k8s.api.x.v1.Cup": { metadata: "Standard." },
      "io.k8s.api.x.v1.Jug": { "": "Jug." },
    })
  })

  it("tell the values of an enumeration", () => {
    const values = 'How big.\n\nPossible enum values:\n - `"Big"`\n - `"Small"`'
    const collected = (text: string): unknown =>
      collect({ "io.k8s.api.x.v1.Cup": { size: { enum: ["Big", "Small"] } } }, { V1Cup: { size: text } })
    assert.deepEqual(collected("How big."), { "io.k8s.api.x.v1.Cup": { size: values } })
    assert.deepEqual(collected(`${values} is less`), { "io.k8s.api.x.v1.Cup": { size: `${values} is less` } })
  })
})
