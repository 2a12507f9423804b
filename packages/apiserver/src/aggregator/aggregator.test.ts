import assert from "node:assert/strict"
import { test } from "node:test"
import type { TLSSocket } from "node:tls"
import { apiService, customResourceDefinition, endpointSlice, service } from "@knarr/api"
import { defineKind, type KubeObject } from "@knarr/apimachinery"
import { testCertificates, testEnv } from "../testing.ts"
import { serviceName, startAggregated, type Serve } from "./testing.ts"

const pause = (): Promise<void> => testEnv.clock.sleep(5, never)
const never = new AbortController().signal
const root = "/apis/things.example.com/v1"
const thing = { apiVersion: "things.example.com/v1", kind: "Thing", metadata: { name: "a" } }
const resource = {
  resource: "things",
  responseKind: { group: "", version: "", kind: "Thing" },
  scope: "Namespaced",
  singularResource: "thing",
  verbs: ["delete", "deletecollection", "get", "list"],
}
const aggregatedType = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
const v2 = {
  swagger: "2.0",
  info: { title: "x", version: "1" },
  paths: {
    [`${root}/things`]: { get: { responses: { 200: { schema: { $ref: "#/definitions/Thing" } } } } },
    "/apis/other/v1/x": { get: { responses: { 200: { schema: { $ref: "#/definitions/Unused" } } } } },
  },
  definitions: {
    Thing: { type: "object", properties: { metadata: { $ref: `#/definitions/${objectMeta()}` } } },
    [objectMeta()]: { type: "string" },
    Unused: { type: "object" },
  },
}

function objectMeta(): string {
  return "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
}

/** An aggregated server that tells what it was asked. */
const serveThings: Serve = (request, response) => {
  const { url = "", headers, method } = request
  const path = url.split("?")[0]!
  const send = (value: unknown, type = "application/json", status = 200): void => {
    response.writeHead(status, { "content-type": type })
    response.end(typeof value === "string" ? value : JSON.stringify(value))
  }
  if (path === "/apis")
    return send(
      {
        kind: "APIGroupDiscoveryList",
        apiVersion: "apidiscovery.k8s.io/v2",
        items: [
          { metadata: { name: "things.example.com" }, versions: [{ version: "v1", resources: [resource] }] },
        ],
      },
      aggregatedType,
    )
  if (path === root)
    return send({ kind: "APIResourceList", groupVersion: "things.example.com/v1", resources: [] })
  if (path === "/openapi/v3")
    return send({
      paths: { [root.slice(1)]: { serverRelativeURL: `/openapi/v3${root}?hash=1` }, version: {} },
    })
  if (path === `/openapi/v3${root}`) return send({ openapi: "3.0.0", paths: {} })
  if (path === "/openapi/v2") return send(v2)
  if (path === `${root}/namespaces/default/things/moved`) {
    response.writeHead(302, { location: "https://elsewhere.invalid/" })
    return void response.end()
  }
  if (path === `${root}/namespaces/default/things/cut`) {
    response.writeHead(200)
    response.write("half")
    return void setImmediate(() => request.stream.close(2))
  }
  if (url === `${root}/things?watch=true`) {
    response.writeHead(200, { "content-type": "application/json" })
    response.write(`${JSON.stringify({ type: "ADDED", object: thing })}\n`)
    return undefined
  }
  if (path.endsWith("/things") && method === "GET")
    return send({ kind: "ThingList", metadata: { resourceVersion: "1" }, items: [thing] })
  let body = ""
  request.setEncoding("utf8").on("data", (chunk: string) => (body += chunk))
  request.on("end", () => {
    const shown = Object.fromEntries(
      Object.entries(headers).filter(([name]) =>
        /^(x-remote|audit-id|authorization|impersonate|x-forwarded|accept$)/.test(name),
      ),
    )
    const socket = request.stream.session!.socket as TLSSocket
    const proxy = socket.getPeerX509Certificate()?.subject
    send({ method, url, body, headers: shown, proxy }, "application/json", 201)
  })
  return undefined
}

test("a group of another server is served through this one", async () => {
  await using fixture = await startAggregated(serveThings)
  const { ask, server } = fixture
  await fixture.register()
  const condition = await fixture.untilReason("Passed")
  assert.deepEqual([condition.status, condition.message], ["True", "all checks passed"])

  const sent = await ask(`${root}/namespaces/default/things?fieldManager=x`, {
    method: "POST",
    headers: {
      authorization: "Bearer nobody's",
      "audit-id": "known-here",
      accept: "application/yaml",
      "X-Remote-User": "eve",
    },
    body: "x".repeat(4_000_000),
  })
  assert.equal(sent.status, 201)
  const { body, ...told } = sent.json()
  assert.equal(body.length, 4_000_000, "bodies of any length stream by")
  delete told.headers["x-forwarded-host"]
  assert.deepEqual(told, {
    method: "POST",
    url: `${root}/namespaces/default/things?fieldManager=x`,
    proxy: "CN=front-proxy-client",
    headers: {
      accept: "application/yaml",
      "audit-id": "known-here",
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-proto": "https",
      "x-forwarded-uri": `${root}/namespaces/default/things`,
      "x-remote-extra-authentication.kubernetes.io%2fcredential-id":
        told.headers["x-remote-extra-authentication.kubernetes.io%2fcredential-id"],
      "x-remote-group": "system:masters, system:authenticated",
      "x-remote-user": "admin",
    },
  })

  const eve = testCertificates().client("eve")
  assert.equal((await ask(`${root}/things`, { as: eve })).status, 401)
  const moved = await ask(`${root}/namespaces/default/things/moved`)
  assert.deepEqual(
    [moved.status, moved.text],
    [502, "the backend attempted to redirect this request, which is not permitted"],
  )
  await assert.rejects(ask(`${root}/namespaces/default/things/cut`), { code: "ECONNRESET" })
  assert.equal((await ask(`${root}/things`)).json().items.length, 1, "the next one is answered")

  const client = server.client()
  const kind = defineKind({
    group: "things.example.com",
    version: "v1",
    kind: "Thing",
    plural: "things",
    namespaced: true,
    verbs: ["list", "watch"],
    schema: { type: "object", preserveUnknown: true },
  })
  assert.deepEqual(
    (await client.list(kind)).items.map(({ metadata }) => metadata.name),
    ["a"],
  )
  const stop = new AbortController()
  for await (const { object } of client.watch(kind, { signal: stop.signal })) {
    assert.equal((object as KubeObject).metadata.name, "a")
    break
  }
})

test("documents of another server are part of ours", async () => {
  await using fixture = await startAggregated(serveThings)
  const { ask, server } = fixture
  await fixture.register()
  await fixture.untilReason("Passed")
  const aggregated = async (): Promise<any[]> =>
    (await ask("/apis", { headers: { accept: aggregatedType } })).json().items
  const own = async (): Promise<any> =>
    (await aggregated()).find(({ metadata }) => metadata.name === "things.example.com")?.versions[0]
  while ((await own())?.freshness !== "Current") await pause()
  assert.deepEqual(await own(), { version: "v1", resources: [resource], freshness: "Current" })
  const names = (await ask("/apis")).json().groups.map(({ name }: { name: string }) => name)
  assert.equal(names.at(-1), "things.example.com")
  const group = (await ask("/apis/things.example.com")).json()
  assert.deepEqual(group.preferredVersion, { groupVersion: "things.example.com/v1", version: "v1" })
  assert.equal((await ask(root)).json().groupVersion, "things.example.com/v1")
  const served = (await server.client().discover()).find((one) => one.group === "things.example.com")
  assert.deepEqual(
    served?.resources.map(({ plural, namespaced }) => [plural, namespaced]),
    [["things", true]],
  )

  const index = async (): Promise<any> => (await ask("/openapi/v3")).json().paths[root.slice(1)]
  while (!(await index())) await pause()
  assert.deepEqual(await index(), { serverRelativeURL: `/openapi/v3${root}?hash=1` })
  assert.deepEqual((await ask(`/openapi/v3${root}?hash=1`)).json(), { openapi: "3.0.0", paths: {} })
  const merged = async (): Promise<any> => (await ask("/openapi/v2")).json()
  while (!(await merged()).paths[`${root}/things`]) await pause()
  const { paths, definitions } = await merged()
  assert.ok(!paths["/apis/other/v1/x"] && !definitions.Unused, "what is not the version's own is left out")
  assert.equal(definitions.Thing.properties.metadata.$ref, `#/definitions/${objectMeta()}_v2`)
  assert.deepEqual(definitions[`${objectMeta()}_v2`], { type: "string" })
  assert.equal(definitions[objectMeta()].type, "object")

  await server.client().delete(apiService, { name: serviceName })
  assert.equal(await own(), undefined)
  assert.equal((await ask(`${root}/things`)).status, 404)
})

test("an API service says why it cannot be had", async () => {
  await using fixture = await startAggregated(serveThings)
  const { ask, server } = fixture
  const client = server.client()
  const at = { namespace: "default", name: "ext" }
  await fixture.register({ caBundle: Buffer.from(testCertificates().ca.cert).toString("base64") })
  const unknown = await fixture.untilReason("FailedDiscoveryCheck")
  const url = `https://localhost:${fixture.remotePort}${root}`
  assert.equal(
    unknown.message,
    `failing or missing response from ${url}: Get "${url}": tls: failed to verify certificate: x509: certificate signed by unknown authority`,
  )
  const refused = await ask(`${root}/things`)
  assert.deepEqual(
    [refused.status, refused.headers["content-type"], refused.text],
    [503, "text/plain; charset=utf-8", "service unavailable\n"],
  )
  await client.patch(apiService, { name: serviceName }, "merge", { spec: { caBundle: fixture.caBundle } })
  await fixture.untilReason("Passed")
  await client.delete(service, at)
  const said = async (reason: string): Promise<unknown> => (await fixture.untilReason(reason)).message
  assert.equal(await said("ServiceNotFound"), 'service/ext in "default" is not present')
  await client.create(service, { metadata: at, spec: { ports: [{ port: 1, name: "tls" }] } })
  assert.equal(
    await said("ServicePortError"),
    `service/ext in "default" is not listening on port ${fixture.remotePort}`,
  )
  await client.patch(service, at, "merge", { spec: { ports: [{ port: fixture.remotePort, name: "tls" }] } })
  assert.equal(await said("EndpointsNotFound"), 'cannot find endpointslices for service/ext in "default"')
  await client.create(endpointSlice, {
    metadata: { namespace: "default", name: "ext-1", labels: { "kubernetes.io/service-name": "ext" } },
    addressType: "IPv4",
    endpoints: [{ addresses: ["192.0.2.1"], conditions: { ready: false } }],
    ports: [{ name: "tls", port: 443 }],
  })
  assert.equal(
    await said("MissingEndpoints"),
    'endpointslices for service/ext in "default" have no addresses with port name "tls"',
  )
})

test("APIServices of definitions come and go with them, and those of built-in groups are there", async () => {
  await using fixture = await startAggregated(serveThings)
  const client = fixture.server.client()
  const { status, metadata } = await client.get(apiService, { name: "v1.apps" })
  assert.equal(metadata.labels?.["kube-aggregator.kubernetes.io/automanaged"], "onstart")
  assert.deepEqual(
    status.conditions?.map(({ type, reason, message }) => [type, reason, message]),
    [["Available", "Local", "Local APIServices are always available"]],
  )
  const version = (name: string, served: boolean) => ({
    name,
    served,
    storage: name === "v1",
    schema: { openAPIV3Schema: { type: "object" } },
  })
  const name = "gizmos.example.org"
  const names = { plural: "gizmos", singular: "gizmo", kind: "Gizmo", listKind: "GizmoList" }
  await client.create(customResourceDefinition, {
    metadata: { name },
    spec: {
      group: "example.org",
      scope: "Namespaced",
      names,
      versions: [version("v1", true), version("v1alpha1", false)],
    },
  })
  const until = async (there: boolean): Promise<void> => {
    for (;;) {
      const { items } = await client.list(apiService)
      if (items.some((one) => one.metadata.name === "v1.example.org") === there) return
      await pause()
    }
  }
  await until(true)
  const made = await client.get(apiService, { name: "v1.example.org" })
  assert.deepEqual(
    [made.spec, made.metadata.labels],
    [
      { group: "example.org", version: "v1", groupPriorityMinimum: 1000, versionPriority: 100 },
      { "kube-aggregator.kubernetes.io/automanaged": "true" },
    ],
  )
  const { items } = await client.list(apiService)
  assert.ok(!items.some((one) => one.metadata.name === "v1alpha1.example.org"))
  await client.delete(customResourceDefinition, { name })
  await until(false)
})
