import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { collectTexts, type Definition } from "./collect.ts"
import type { TypeTexts } from "./sources.ts"

const time = "io.k8s.apimachinery.pkg.apis.meta.v1.Time"
const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
const to = (name: string) => ({ allOf: [{ $ref: `#/components/schemas/${name}` }] })

function collect(
  definitions: Record<string, Record<string, object>>,
  models: Record<string, TypeTexts>,
  modules: Record<string, Record<string, TypeTexts>> = {},
) {
  return JSON.parse(
    JSON.stringify(
      collectTexts(
        Object.fromEntries(
          Object.entries(definitions).map(([name, properties]) => [name, { properties } as Definition]),
        ),
        {
          modelNames: Object.keys(models),
          readModel: (name) => models[name]!,
          modules: new Map(
            Object.entries(modules).map(([name, types]) => [name, new Map(Object.entries(types))]),
          ),
        },
      ),
    ),
  )
}

describe("texts of definitions", () => {
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
      { "x/v1alpha1": { Cup: { "": "Cup." } } },
    )
    assert.deepEqual(texts, { "io.k8s.api.x.v1.Cup": { "": "Cup.", size: "beta" } })
  })

  it("do not come from a type with the same name and other fields", () => {
    assert.deepEqual(
      collect({ "io.k8s.api.x.v1.Cup": { size: {} } }, { V1alpha1Cup: { a: "A", b: "B", size: "S" } }),
      {},
    )
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

  it("of fields that hold a definition are their own or the definition's", () => {
    const texts = collect(
      {
        [time]: {},
        "io.k8s.api.x.v1.Cup": {
          filled: to(time),
          emptied: to(time),
          washed: { $ref: `#/components/schemas/${time}` },
          spec: to("io.k8s.api.x.v1.Spec"),
        },
      },
      {
        V1Cup: {
          filled: "Time is a wrapper.",
          emptied: "When it was emptied.",
          washed: "Time is a wrapper.",
        },
      },
      { "x/v1": { Cup: { filled: "When it was filled.", spec: "What is wanted.", washed: "Not told." } } },
    )
    assert.deepEqual(texts, {
      [time]: { "": "Time is a wrapper." },
      "io.k8s.api.x.v1.Cup": {
        filled: "When it was filled.",
        emptied: "When it was emptied.",
        spec: "What is wanted.",
      },
    })
  })

  it("are the usual ones for metadata of a kind that only the newer source has", () => {
    const texts = collect(
      {
        "io.k8s.api.x.v1.Cup": { metadata: to(objectMeta) },
        "io.k8s.api.x.v1.Pan": { metadata: to(objectMeta) },
      },
      { V1Cup: { "": "Cup." }, V1Pan: { "": "Pan." } },
      { "x/v1": { Cup: { metadata: "Standard." } } },
    )
    assert.equal(texts["io.k8s.api.x.v1.Pan"].metadata, "Standard.")
  })

  it("tell the values of an enumeration", () => {
    assert.deepEqual(
      collect(
        { "io.k8s.api.x.v1.Cup": { size: { enum: ["Big", "Small"] } } },
        { V1Cup: { size: "How big." } },
      ),
      { "io.k8s.api.x.v1.Cup": { size: 'How big.\n\nPossible enum values:\n - `"Big"`\n - `"Small"`' } },
    )
  })
})
