import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { kinds } from "@knarr/api"
import { parseRequestInfo } from "./request-info.ts"
import { mayUpgrade, methodsOfRoute, needsCreate, refusalOfRoute } from "./routes.ts"

interface DiscoveredResource {
  readonly resource: string
  readonly scope: "Namespaced" | "Cluster"
  readonly verbs: readonly string[]
  readonly subresources?: readonly { readonly subresource: string; readonly verbs: readonly string[] }[]
}
interface Discovered {
  readonly items: readonly {
    readonly metadata: { readonly name?: string }
    readonly versions: readonly {
      readonly version: string
      readonly resources: readonly DiscoveredResource[]
    }[]
  }[]
}

const facts = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../../../facts/discovery.json"), "utf8"),
) as Discovered

/** What the published API says of each resource that is served here, and where. It leaves the core group out. */
const published = facts.items
  .flatMap((group) =>
    group.versions.flatMap(({ version, resources }) =>
      resources.map((resource) => {
        const name = group.metadata.name ?? ""
        const root = name === "" ? `/api/${version}` : `/apis/${name}/${version}`
        const kind = kinds.find(
          (k) => k.group === name && k.version === version && k.plural === resource.resource,
        )
        return { ...resource, root, kind }
      }),
    ),
  )
  .filter(({ kind }) => kind !== undefined)
const known = new Set(published.map(({ kind }) => kind))
for (const kind of kinds.filter((one) => !known.has(one)))
  published.push({
    resource: kind.plural,
    root: kind.group === "" ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`,
    kind,
    scope: kind.namespaced ? "Namespaced" : "Cluster",
    verbs: kind.verbs,
    subresources: [...kind.subresources.values()].map(({ name, verbs }) => ({ subresource: name, verbs })),
  })

const methodOf: Readonly<Record<string, string>> = {
  create: "POST",
  delete: "DELETE",
  deletecollection: "DELETE",
  get: "GET",
  list: "GET",
  patch: "PATCH",
  update: "PUT",
}

function methodsFor(verbs: readonly string[], among: readonly string[]): string {
  return verbs
    .filter((verb) => among.includes(verb))
    .map((verb) => methodOf[verb]!)
    .sort()
    .join(" ")
}

const ofCollection = ["create", "deletecollection", "list"]
const ofObject = ["delete", "get", "patch", "update"]
const ofProxy = "DELETE GET HEAD OPTIONS PATCH POST PUT"

function methodsAt(kind: (typeof published)[number]["kind"], path: string): string {
  const info = parseRequestInfo("GET", path, new URLSearchParams())
  assert.equal(info.isResourceRequest, true, path)
  return [...methodsOfRoute(kind, info)].sort().join(" ")
}

describe("The scope of a path", () => {
  for (const { resource, root, kind, scope, verbs, subresources = [] } of published) {
    it(`is decided for ${root}/${resource}`, () => {
      const own = scope === "Namespaced" ? `${root}/namespaces/x/${resource}` : `${root}/${resource}`
      const foreign = scope === "Namespaced" ? `${root}/${resource}` : `${root}/namespaces/x/${resource}`
      const watched = (path: string): string => path.replace(root, `${root}/watch`)
      const watch = verbs.includes("watch") ? "GET" : ""
      const expected: [path: string, methods: string][] = [
        [own, methodsFor(verbs, ofCollection)],
        [`${own}/n`, methodsFor(verbs, ofObject)],
        [watched(own), watch],
        [`${watched(own)}/n`, watch],
        // All namespaces together may be listed and watched; nothing of a cluster is in a namespace.
        [foreign, scope === "Namespaced" ? methodsFor(verbs, ["list"]) : ""],
        [watched(foreign), scope === "Namespaced" ? watch : ""],
        [`${foreign}/n`, ""],
        [`${watched(foreign)}/n`, ""],
        [`${root}/namespaces/x/${resource}/n/unknown`, ""],
        [`${own}/n/`, methodsFor(verbs, ofObject)],
        [own.replace(root, `${root}/proxy`), ""],
        [`${own.replace(root, `${root}/proxy`)}/n`, ""],
        [`${root}/namespaces/y/namespaces/x/${resource}`, ""],
      ]
      for (const sub of [
        "exec",
        "attach",
        "portforward",
        "proxy",
        "log",
        "status",
        "scale",
        "eviction",
        "token",
      ]) {
        const found = subresources.find(({ subresource }) => subresource === sub)
        const methods = found ? methodsFor(found.verbs, [...ofObject, "create"]) : ""
        const own2 = `${own}/n/${sub}`
        expected.push(
          [own2, sub === "proxy" && found ? ofProxy : methods],
          [`${own2}/more/still`, sub === "proxy" && found ? ofProxy : ""],
          [`${foreign}/n/${sub}`, ""],
          [watched(own2), ""],
          [watched(`${foreign}/n/${sub}`), ""],
          [`${own2.replace(root, `${root}/proxy`)}`, ""],
        )
      }
      for (const [path, methods] of expected) assert.equal(methodsAt(kind, path), methods, path)
    })
  }

  it("is the namespace's own name only for namespaces", () => {
    const namespace = kinds.find(({ kind }) => kind === "Namespace")
    assert.equal(methodsAt(namespace, "/api/v1/namespaces/x"), "DELETE GET PATCH PUT")
    assert.equal(methodsAt(namespace, "/api/v1/namespaces/x/status"), "GET PATCH PUT")
    assert.equal(methodsAt(namespace, "/api/v1/namespaces/x/finalize"), "PUT")
    for (const path of [
      "/api/v1/namespaces/x/namespaces",
      "/api/v1/namespaces/x/namespaces/x",
      "/api/v1/namespaces/x/namespaces/y/status",
      "/api/v1/namespaces/x/namespaces/y/finalize",
      "/api/v1/namespaces/x/finalize/more",
      "/api/v1/watch/namespaces/x/status",
    ])
      assert.equal(methodsAt(namespace, path), "", path)
  })

  it("wants names where there must be some", () => {
    const pod = kinds.find(({ kind, group }) => kind === "Pod" && group === "")
    const rows: [method: string, path: string, code: number | undefined][] = [
      ["GET", "/api/v1/namespaces//pods", undefined],
      ["POST", "/api/v1/namespaces//pods", 400],
      ["DELETE", "/api/v1/namespaces//pods", 400],
      ["GET", "/api/v1/namespaces//pods/p", 400],
      ["GET", "/api/v1/namespaces//pods/p/log", 400],
      ["GET", "/api/v1/namespaces/x/pods//log", 400],
      ["GET", "/api/v1/namespaces/x/pods//exec", 400],
      ["GET", "/api/v1/namespaces/x/pods/p/log", undefined],
      ["HEAD", "/api/v1/namespaces/x/pods", 405],
    ]
    for (const [method, path, code] of rows) {
      const info = parseRequestInfo(method, path, new URLSearchParams())
      assert.equal(refusalOfRoute(pod, method, info)?.status.code, code, `${method} ${path}`)
    }
  })

  it("is nothing for what is not served", () => {
    assert.equal(methodsAt(undefined, "/api/v1/namespaces/x/gadgets"), "")
  })
})

describe("Entering a pod", () => {
  it("needs create, whatever the method", () => {
    for (const method of ["GET", "POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
      for (const sub of ["exec", "attach", "portforward"])
        for (const path of [`/api/v1/namespaces/x/pods/p/${sub}`, `/api/v1/watch/namespaces/x/pods/p/${sub}`])
          assert.equal(needsCreate(parseRequestInfo(method, path, new URLSearchParams())), true, path)
  })

  it("is an upgrade only where a handler takes it over", () => {
    const rows: [path: string, protocol: string, taken: boolean][] = [
      ["/api/v1/namespaces/x/pods/p/exec", "SPDY/3.1", true],
      ["/api/v1/namespaces/x/pods/p/attach", "websocket", true],
      ["/api/v1/namespaces/x/pods/p/portforward", "WebSocket", true],
      ["/api/v1/namespaces/x/pods/p/exec", "h2c", false],
      ["/api/v1/namespaces/x/pods/p/log", "websocket", true],
      ["/api/v1/namespaces/x/pods/p/log", "SPDY/3.1", false],
      ["/api/v1/namespaces/x/pods/p/proxy/x", "anything", true],
      ["/api/v1/namespaces/x/pods/p", "websocket", false],
      ["/livez", "h2c", false],
    ]
    for (const [path, protocol, taken] of rows)
      assert.equal(
        mayUpgrade(parseRequestInfo("GET", path, new URLSearchParams()), protocol),
        taken,
        `${path} ${protocol}`,
      )
  })
})
