import assert from "node:assert/strict"
import { test } from "node:test"
import { gunzipSync } from "node:zlib"
import { startTestRegistry } from "../registry/testing.ts"
import { request } from "./testing.ts"

const pods = "/api/v1/namespaces/default/pods"
const maps = "/api/v1/namespaces/default/configmaps"

const podBody = (name: string): object => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name },
  spec: { containers: [{ name: "c", image: "nginx" }] },
})
const mapBody = (name: string, data: Record<string, string> = {}): object => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name },
  data,
})

test("create, get, list, update, delete over HTTP", async () => {
  await using t = await startTestRegistry()
  const made = await request(t, "POST", pods, { body: podBody("p") })
  assert.equal(made.code, 201)
  assert.equal(made.json().metadata.resourceVersion, "2")
  assert.equal(made.json().metadata.managedFields[0].manager, "test")
  const got = await request(t, "GET", `${pods}/p`)
  assert.equal(got.text, made.text)
  const list = (await request(t, "GET", pods)).json()
  assert.equal(list.kind, "PodList")
  assert.deepEqual(list.metadata, { resourceVersion: "2" })
  const { kind: _, apiVersion: __, ...item } = made.json()
  assert.deepEqual(list.items, [item])
  const next = { ...made.json(), metadata: { ...made.json().metadata, labels: { a: "b" } } }
  const put = await request(t, "PUT", `${pods}/p`, { body: next })
  assert.equal(put.code, 200)
  assert.deepEqual(put.json().metadata.labels, { a: "b" })
  const gone = await request(t, "DELETE", `${pods}/p`)
  assert.equal(gone.code, 200)
  assert.equal(gone.json().kind, "Pod")
  const missing = await request(t, "GET", `${pods}/p`)
  assert.equal(missing.code, 404)
  assert.deepEqual(missing.json(), {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: 'pods "p" not found',
    reason: "NotFound",
    details: { name: "p", kind: "pods" },
    code: 404,
  })
})

test("what is malformed is refused in upstream's words", async () => {
  await using t = await startTestRegistry()
  const cases: [string, string, unknown, number, RegExp][] = [
    [
      "POST",
      pods,
      "nonsense",
      400,
      /^the object provided is unrecognized \(must be of type Pod\): couldn't get version\/kind; json parse error: .*\(6e6f6e73656e7365\)$/,
    ],
    [
      "POST",
      pods,
      mapBody("a"),
      400,
      /^ConfigMap in version "v1" cannot be handled as a Pod: converting \(v1\.ConfigMap\) to \(core\.Pod\): unknown conversion$/,
    ],
    [
      "POST",
      pods,
      { kind: "Foo", apiVersion: "v1" },
      400,
      /^Foo in version "v1" cannot be handled as a Pod: no kind "Foo" is registered for version "v1" in scheme/,
    ],
    [
      "POST",
      pods,
      { ...podBody("p"), spec: { containers: "x" } },
      400,
      /^Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal string into Go struct field PodSpec\.spec\.containers of type \[\]v1\.Container$/,
    ],
    [
      "POST",
      `${pods}?fieldValidation=Strict`,
      { ...podBody("p"), foo: 1 },
      400,
      /^Pod in version "v1" cannot be handled as a Pod: strict decoding error: unknown field "foo"$/,
    ],
    [
      "POST",
      `${pods}?dryRun=Some`,
      podBody("p"),
      422,
      /^CreateOptions\.meta\.k8s\.io "" is invalid: dryRun: Unsupported value: /,
    ],
    [
      "PUT",
      `${pods}/q`,
      podBody("p"),
      400,
      /^the name of the object \(p\) does not match the name on the URL \(q\)$/,
    ],
    [
      "POST",
      "/api/v1/namespaces/other/pods",
      { ...podBody("p"), metadata: { name: "p", namespace: "default" } },
      400,
      /^the namespace of the provided object does not match the namespace sent on the request$/,
    ],
    ["GET", `${pods}?limit=x`, undefined, 400, /invalid syntax$/],
    ["DELETE", `${pods}/none`, undefined, 404, /^pods "none" not found$/],
    [
      "PATCH",
      `${pods}/none?force=true`,
      {},
      422,
      /^PatchOptions\.meta\.k8s\.io "" is invalid: force: Forbidden: may not be specified for non-apply patch$/,
    ],
    [
      "POST",
      "/api/v1/pods",
      podBody("p"),
      405,
      /^the server does not allow this method on the requested resource/,
    ],
  ]
  for (const [method, url, body, code, message] of cases) {
    const headers = method === "PATCH" ? { "content-type": "application/merge-patch+json" } : undefined
    const answer = await request(t, method, url, { body, ...(headers ? { headers } : {}) })
    assert.match(answer.json().message as string, message, `${method} ${url}`)
    assert.equal(answer.code, code, `${method} ${url}`)
  }
})

test("media types: YAML in and out, unknown ones named", async () => {
  await using t = await startTestRegistry()
  const yaml = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: yml\ndata:\n  a: b\n"
  const made = await request(t, "POST", maps, { body: yaml, headers: { "content-type": "application/yaml" } })
  assert.equal(made.code, 201)
  const got = await request(t, "GET", `${maps}/yml`, { headers: { accept: "application/yaml" } })
  assert.equal(got.type, "application/yaml")
  assert.match(got.text, /^apiVersion: v1\ndata:\n {2}a: b\nkind: ConfigMap\n/)
  const first = await request(t, "GET", `${maps}/yml`, {
    headers: { accept: "application/vnd.example,application/json" },
  })
  assert.equal(first.type, "application/json")
  const bad = await request(t, "GET", `${maps}/yml`, { headers: { accept: "text/html" } })
  assert.equal(bad.code, 406)
  assert.equal(
    bad.json().message,
    "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, " +
      "application/vnd.kubernetes.protobuf",
  )
  const text = await request(t, "POST", maps, {
    body: "x",
    headers: { "content-type": "text/plain" },
  })
  assert.equal(text.code, 415)
})

const asTable = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json" }

test("tables and metadata alone", async () => {
  await using t = await startTestRegistry()
  await request(t, "POST", maps, { body: mapBody("a", { x: "y" }) })
  const table = (await request(t, "GET", maps, { headers: asTable })).json()
  assert.equal(table.kind, "Table")
  assert.deepEqual(
    table.columnDefinitions.map((c: { name: string }) => c.name),
    ["Name", "Data", "Age"],
  )
  assert.deepEqual(table.rows[0].cells, ["a", 1, "0s"])
  assert.equal(table.rows[0].object.kind, "PartialObjectMetadata")
  const one = (await request(t, "GET", `${maps}/a?includeObject=Object`, { headers: asTable })).json()
  assert.equal(one.rows[0].object.kind, "ConfigMap")
  const partial = (
    await request(t, "GET", maps, {
      headers: { accept: "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io" },
    })
  ).json()
  assert.equal(partial.kind, "PartialObjectMetadataList")
  assert.deepEqual(Object.keys(partial.items[0]), ["kind", "apiVersion", "metadata"])
})

test("a watch sends lines, shares frames, and tables begin with their columns", async () => {
  await using t = await startTestRegistry()
  await request(t, "POST", maps, { body: mapBody("a") })
  const one = await request(t, "GET", `${maps}?watch=true&resourceVersion=2`, { streaming: true })
  const two = await request(t, "GET", `/api/v1/configmaps?watch=true&resourceVersion=2`, { streaming: true })
  const table = await request(t, "GET", `${maps}?watch=true`, { streaming: true, headers: asTable })
  await t.clock.advance(0)
  await request(t, "POST", maps, { body: mapBody("b") })
  await t.clock.advance(0)
  assert.equal(one.chunks.length, 1)
  assert.equal(one.chunks[0], two.chunks[0])
  const event = JSON.parse(one.text) as { type: string; object: { metadata: { name: string } } }
  assert.equal(event.type, "ADDED")
  assert.equal(event.object.metadata.name, "b")
  const rows = table.text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
  assert.equal(rows.length, 2)
  assert.equal(rows[0].object.columnDefinitions.length, 3)
  assert.equal(rows[1].object.columnDefinitions, null)
  for (const answer of [one, two, table]) {
    answer.abort()
    await answer.done
  }
})

test("a watch of an old revision says so on the stream", async () => {
  await using t = await startTestRegistry()
  for (let i = 0; i < 5; i++) await request(t, "POST", maps, { body: mapBody(`m${i}`) })
  await t.store.compact(5)
  await using again = await t.restart()
  const answer = await request(again, "GET", `${maps}?watch=true&resourceVersion=2`)
  assert.equal(answer.code, 200)
  assert.deepEqual(answer.json(), {
    type: "ERROR",
    object: {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: "too old resource version: 2 (5)",
      reason: "Expired",
      code: 410,
    },
  })
})

test("long lists come in slices", async () => {
  await using t = await startTestRegistry()
  const data = { text: "x".repeat(4000) }
  for (let i = 0; i < 200; i++) await request(t, "POST", maps, { body: mapBody(`m${i}`, data) })
  const plain = await request(t, "GET", maps)
  assert.ok(plain.chunks.length > 2)
  assert.equal(plain.json().items.length, 200)
})

test("long lists are compressed when the client takes it, and say what plain ones say, before and after writes", async () => {
  await using t = await startTestRegistry()
  for (let i = 0; i < 300; i++)
    await request(t, "POST", maps, {
      body: {
        ...mapBody(`m${i}`, { text: `${i} `.repeat(1000) }),
        metadata: { name: `m${i}`, labels: { odd: String(i % 2) }, annotations: { a: `${i} `.repeat(300) } },
      },
    })
  const ways: readonly (readonly [url: string, accept: string])[] = [
    [maps, "application/json"],
    [maps, "application/vnd.kubernetes.protobuf"],
    [maps, "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"],
    [maps, "application/json;as=Table;g=meta.k8s.io;v=v1"],
    [`${maps}?limit=200`, "application/json"],
    [`${maps}?labelSelector=odd%3D1`, "application/json"],
    [`${maps}?limit=2`, "application/json"],
    [`${maps}?labelSelector=odd%3D2`, "application/vnd.kubernetes.protobuf"],
  ]
  const compare = async (): Promise<void> => {
    for (const [url, accept] of ways) {
      const plain = await request(t, "GET", url, { headers: { accept } })
      const packed = await request(t, "GET", url, { headers: { accept, "accept-encoding": "gzip, deflate" } })
      const bytes = Buffer.concat(packed.chunks)
      const isLong = Buffer.concat(plain.chunks).length > 128 * 1024
      assert.equal(packed.headers.get("Content-Encoding"), isLong ? "gzip" : undefined, url)
      assert.ok((isLong ? gunzipSync(bytes) : bytes).equals(Buffer.concat(plain.chunks)), `${url} ${accept}`)
    }
  }
  await compare()
  await compare()
  await request(t, "PUT", `${maps}/m7`, { body: mapBody("m7", { text: "new" }) })
  await request(t, "DELETE", `${maps}/m200`)
  await request(t, "POST", maps, { body: mapBody("a", { text: "first" }) })
  await compare()
})

test("delete options come from the body or the query", async () => {
  await using t = await startTestRegistry()
  await request(t, "POST", maps, { body: mapBody("a") })
  const dry = await request(t, "DELETE", `${maps}/a`, {
    body: { kind: "DeleteOptions", apiVersion: "v1", dryRun: ["All"] },
  })
  assert.equal(dry.code, 200)
  const foreground = await request(t, "DELETE", `${maps}/a?propagationPolicy=Foreground`)
  assert.equal(foreground.code, 200)
  assert.deepEqual(foreground.json().metadata.finalizers, ["foregroundDeletion"])
  const both = await request(t, "DELETE", `${maps}/a?propagationPolicy=Foreground&orphanDependents=true`)
  assert.equal(both.code, 422)
  assert.match(
    both.json().message as string,
    /^DeleteOptions\.meta\.k8s\.io "" is invalid: propagationPolicy: Invalid value/,
  )
})

test("apply over HTTP needs a manager; unknown fields warn", async () => {
  await using t = await startTestRegistry()
  const headers = { "content-type": "application/apply-patch+yaml" }
  const none = await request(t, "PATCH", `${maps}/a`, { body: mapBody("a"), headers })
  assert.match(none.json().message as string, /fieldManager: Required value: is required for apply patch$/)
  const made = await request(t, "PATCH", `${maps}/a?fieldManager=m`, {
    body: mapBody("a", { k: "v" }),
    headers,
  })
  assert.equal(made.code, 201)
  const again = await request(t, "PATCH", `${maps}/a?fieldManager=m`, {
    body: mapBody("a", { k: "v" }),
    headers,
  })
  assert.equal(again.code, 200)
  assert.equal(again.text, made.text)
  const warned = await request(t, "POST", maps, { body: { ...mapBody("b"), foo: 1 } })
  assert.deepEqual(warned.warnings, ['unknown field "foo"'])
})

test("two versions share one storage", async () => {
  await using t = await startTestRegistry()
  const path = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers"
  const made = await request(t, "POST", path, {
    body: {
      apiVersion: "autoscaling/v2",
      kind: "HorizontalPodAutoscaler",
      metadata: { name: "h" },
      spec: { scaleTargetRef: { kind: "Deployment", name: "d", apiVersion: "apps/v1" }, maxReplicas: 3 },
    },
  })
  assert.equal(made.code, 201, made.text)
  const old = (await request(t, "GET", `${path.replace("v2", "v1")}/h`)).json()
  assert.equal(old.apiVersion, "autoscaling/v1")
  assert.equal(old.metadata.resourceVersion, made.json().metadata.resourceVersion)
  assert.equal(old.spec.maxReplicas, 3)
})
