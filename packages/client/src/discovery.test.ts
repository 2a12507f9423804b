import assert from "node:assert/strict"
import { test } from "node:test"
import { readDiscovery } from "./discovery.ts"

const widgets = {
  kind: "Widget",
  plural: "widgets",
  singular: "widget",
  namespaced: true,
  verbs: ["get", "list"],
  shortNames: ["wd"],
  categories: ["all"],
  subresources: ["status"],
}

/** Asked with the documents of a server; what is missing fails. */
function ask(documents: Readonly<Record<string, unknown>>) {
  return readDiscovery(async (path) => {
    if (documents[path] === undefined) throw new Error(`no ${path}`)
    return documents[path]
  })
}

test("the aggregated document says all at once, and what does not answer", async () => {
  const list = (items: unknown[]) => ({ kind: "APIGroupDiscoveryList", items })
  const resource = {
    resource: "widgets",
    responseKind: { group: "", version: "", kind: "Widget" },
    scope: "Namespaced",
    singularResource: "widget",
    verbs: ["get", "list"],
    shortNames: ["wd"],
    categories: ["all"],
    subresources: [{ subresource: "status", verbs: ["get"] }],
  }
  const found = await ask({
    "/api": list([{ metadata: {}, versions: [{ version: "v1", resources: [resource] }] }]),
    "/apis": list([
      {
        metadata: { name: "example.com" },
        versions: [
          { version: "v2", resources: [resource] },
          { version: "v1", freshness: "Stale" },
        ],
      },
    ]),
  })
  assert.deepEqual(found, [
    { group: "", version: "v1", resources: [widgets], failure: undefined },
    { group: "example.com", version: "v2", resources: [widgets], failure: undefined },
    {
      group: "example.com",
      version: "v1",
      resources: [],
      failure: "stale GroupVersion discovery: example.com/v1",
    },
  ])
})

test("a server without it is asked version by version, preferred first, and one that fails stops no other", async () => {
  const resources = [
    {
      name: "widgets",
      singularName: "widget",
      namespaced: true,
      kind: "Widget",
      verbs: ["get", "list"],
      shortNames: ["wd"],
      categories: ["all"],
    },
    { name: "widgets/status", singularName: "", namespaced: true, kind: "Widget", verbs: ["get"] },
  ]
  const found = await ask({
    "/api": { kind: "APIVersions", versions: ["v1"] },
    "/apis": {
      kind: "APIGroupList",
      groups: [
        {
          name: "example.com",
          versions: [{ version: "v1" }, { version: "v2" }],
          preferredVersion: { version: "v2" },
        },
      ],
    },
    "/api/v1": { resources },
    "/apis/example.com/v2": { resources },
  })
  assert.deepEqual(found, [
    { group: "", version: "v1", resources: [widgets] },
    { group: "example.com", version: "v2", resources: [widgets] },
    { group: "example.com", version: "v1", resources: [], failure: "no /apis/example.com/v1" },
  ])
})

test("without the groups themselves nothing is known", async () => {
  await assert.rejects(ask({ "/api": { kind: "APIVersions", versions: [] } }), /no .apis/)
})
