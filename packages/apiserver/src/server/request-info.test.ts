import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { isLongRunning, parseRequestInfo } from "./request-info.ts"

type Row = [
  method: string,
  url: string,
  verb: string,
  group: string,
  version: string,
  namespace: string,
  resource: string,
  subresource: string,
  name: string,
]

const resources: Row[] = [
  ["GET", "/api/v1/namespaces", "list", "", "v1", "", "namespaces", "", ""],
  ["GET", "/api/v1/namespaces/other", "get", "", "v1", "other", "namespaces", "", "other"],
  [
    "PUT",
    "/api/v1/namespaces/other/finalize",
    "update",
    "",
    "v1",
    "other",
    "namespaces",
    "finalize",
    "other",
  ],
  ["GET", "/api/v1/namespaces/other/pods", "list", "", "v1", "other", "pods", "", ""],
  ["GET", "/api/v1/namespaces/other/pods/foo", "get", "", "v1", "other", "pods", "", "foo"],
  ["HEAD", "/api/v1/namespaces/other/pods/foo", "get", "", "v1", "other", "pods", "", "foo"],
  ["GET", "/api/v1/pods?watch=true", "watch", "", "v1", "", "pods", "", ""],
  ["GET", "/api/v1/pods?watch=false", "list", "", "v1", "", "pods", "", ""],
  ["GET", "/api/v1/watch/namespaces/other/pods", "watch", "", "v1", "other", "pods", "", ""],
  ["DELETE", "/api/v1/namespaces/other/pods", "deletecollection", "", "v1", "other", "pods", "", ""],
  ["DELETE", "/api/v1/namespaces/other/pods/foo", "delete", "", "v1", "other", "pods", "", "foo"],
  ["POST", "/api/v1/namespaces/other/pods", "create", "", "v1", "other", "pods", "", ""],
  [
    "PATCH",
    "/apis/apps/v1/namespaces/other/deployments/foo/scale",
    "patch",
    "apps",
    "v1",
    "other",
    "deployments",
    "scale",
    "foo",
  ],
  ["GET", "/api/v1/nodes/n1/proxy/metrics/cadvisor", "get", "", "v1", "", "nodes", "proxy", "n1"],
  [
    "GET",
    "/api/v1/namespaces/x/configmaps?fieldSelector=metadata.name%3Dfoo&watch=1",
    "watch",
    "",
    "v1",
    "x",
    "configmaps",
    "",
    "foo",
  ],
  [
    "GET",
    "/api/v1/namespaces/x/configmaps?fieldSelector=metadata.name!%3Dfoo",
    "list",
    "",
    "v1",
    "x",
    "configmaps",
    "",
    "",
  ],
]

/** Fields that are selected, and the one name that all of them ask for. */
const selections: readonly (readonly [selector: string, name: string])[] = [
  ["metadata.name=foo", "foo"],
  ["metadata.name==foo,spec.nodeName=n", "foo"],
  ["metadata.name=foo ", "foo "],
  ["metadata.name=a\\,b", "a,b"],
  ["metadata.name=a=b", ""],
  ["metadata.name=a/b", ""],
  ["metadata.name=..", ""],
  ["metadata.name!=foo", ""],
  [" metadata.name=foo", ""],
  ["metadata.name=", ""],
]

describe("parseRequestInfo", () => {
  for (const [selector, name] of selections)
    it(`finds the name in ${JSON.stringify(selector)} as the list selects it`, () => {
      const query = new URLSearchParams({ fieldSelector: selector })
      const { verb, name: found } = parseRequestInfo("GET", "/api/v1/namespaces/x/configmaps", query)
      assert.deepEqual([verb, found], ["list", name])
    })

  for (const [method, url, verb, group, version, namespace, resource, subresource, name] of resources) {
    it(`${method} ${url}`, () => {
      const at = url.indexOf("?")
      const info = parseRequestInfo(
        method,
        at < 0 ? url : url.slice(0, at),
        new URLSearchParams(at < 0 ? "" : url.slice(at)),
      )
      assert.equal(info.isResourceRequest, true)
      assert.deepEqual(
        [
          info.verb,
          info.apiGroup,
          info.apiVersion,
          info.namespace,
          info.resource,
          info.subresource,
          info.name,
        ],
        [verb, group, version, namespace, resource, subresource, name],
      )
    })
  }

  for (const path of ["/", "/api", "/api/v1", "/apis/apps", "/apis/apps/v1", "/healthz", "/version/"]) {
    it(`${path} is no resource`, () => {
      const info = parseRequestInfo("GET", path, new URLSearchParams())
      assert.deepEqual([info.isResourceRequest, info.verb, info.path], [false, "get", path])
    })
  }

  it("tells what follows /proxy", () => {
    for (const [path, rest] of [
      ["/api/v1/nodes/n1/proxy/a%2Fb/", "/a/b/"],
      ["/api/v1/nodes/n1/proxy", ""],
      ["/api/v1/nodes/n1/proxy/", "/"],
      ["/api/v1/nodes/n1/proxy//x", "/x"],
      ["/api/v1/namespaces/proxy/services/proxy/proxy/x", "/x"],
    ] as const)
      assert.equal(parseRequestInfo("GET", path, new URLSearchParams()).rest, rest, path)
  })

  it("knows what lasts", () => {
    const lasts = (url: string): boolean => isLongRunning(parseRequestInfo("GET", url, new URLSearchParams()))
    assert.equal(lasts("/api/v1/namespaces/x/pods/y/log"), true)
    assert.equal(lasts("/api/v1/namespaces/x/pods/y/status"), false)
  })
})
