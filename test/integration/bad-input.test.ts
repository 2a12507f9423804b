import assert from "node:assert/strict"
import { createPrivateKey, sign } from "node:crypto"
import { test } from "node:test"
import { configMap, serviceAccount } from "@knarr/api"
import { createTransport, resolveContext, type Transport } from "@knarr/client"
import { startControlPlane } from "knarr/testing"

const maps = "/api/v1/namespaces/default/configmaps"

interface Answer {
  readonly code: number
  readonly reason: string
  readonly message: string
}

async function send(
  transport: Transport,
  method: string,
  path: string,
  body?: string | Buffer,
  headers: Record<string, string> = {},
): Promise<Answer & Record<string, unknown>> {
  const response = await transport.request({
    method,
    path,
    body,
    headers: { "content-type": "application/json", ...headers },
  })
  const text = (await response.buffer()).toString("utf8")
  const value = JSON.parse(text) as Answer
  return { ...value, code: response.status }
}

test("bad requests get the answer that a Kubernetes user knows, and lose nothing", async () => {
  await using cluster = await startControlPlane({ port: 0 })
  using transport = createTransport(resolveContext(cluster.kubeconfig!).transport)
  const made = await cluster.client.create(configMap, {
    metadata: { namespace: "default", name: "kept" },
    data: { a: "1" },
  })
  await cluster.client.patch(configMap, { namespace: "default", name: "kept" }, "merge", { data: { a: "2" } })
  const stale = JSON.stringify({ ...made, data: { a: "3" } })

  const cases: [
    string,
    string,
    string,
    string | Buffer | undefined,
    Record<string, string>,
    number,
    string,
    RegExp,
  ][] = [
    [
      "malformed JSON",
      "POST",
      maps,
      "{",
      {},
      400,
      "BadRequest",
      /json parse error: unexpected end of JSON input/,
    ],
    [
      "the wrong type",
      "POST",
      maps,
      '{"metadata":{"name":5}}',
      {},
      400,
      "BadRequest",
      /ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ObjectMeta\.metadata\.name of type string/,
    ],
    [
      "an unknown field",
      "POST",
      `${maps}?fieldValidation=Strict`,
      '{"metadata":{"name":"x"},"datum":{}}',
      {},
      400,
      "BadRequest",
      /strict decoding error: unknown field "datum"/,
    ],
    [
      "another kind",
      "POST",
      maps,
      '{"kind":"Pod","apiVersion":"v1"}',
      {},
      400,
      "BadRequest",
      /cannot be handled as a ConfigMap/,
    ],
    [
      "a bad label selector",
      "GET",
      `${maps}?labelSelector=${encodeURIComponent("a in b")}`,
      undefined,
      {},
      400,
      "BadRequest",
      /unable to parse requirement|found 'b', expected: '\('/,
    ],
    [
      "a bad field selector",
      "GET",
      `${maps}?fieldSelector=spec.x%3D1`,
      undefined,
      {},
      400,
      "BadRequest",
      /"spec\.x" is not a known field selector: only "metadata\.name", "metadata\.namespace"/,
    ],
    [
      "an invalid name",
      "POST",
      maps,
      '{"metadata":{"name":"No_Good"}}',
      {},
      422,
      "Invalid",
      /^ConfigMap "No_Good" is invalid: metadata\.name: Invalid value: "No_Good": a lowercase RFC 1123 subdomain/,
    ],
    [
      "a stale resourceVersion",
      "PUT",
      `${maps}/kept`,
      stale,
      {},
      409,
      "Conflict",
      /^Operation cannot be fulfilled on configmaps "kept": the object has been modified; please apply your changes to the latest version and try again$/,
    ],
    [
      "a missing object",
      "GET",
      `${maps}/nope`,
      undefined,
      {},
      404,
      "NotFound",
      /^configmaps "nope" not found$/,
    ],
    [
      "a missing namespace",
      "POST",
      "/api/v1/namespaces/nope/configmaps",
      '{"metadata":{"name":"x"}}',
      {},
      404,
      "NotFound",
      /^namespaces "nope" not found$/,
    ],
    [
      "an existing name",
      "POST",
      maps,
      '{"metadata":{"name":"kept"}}',
      {},
      409,
      "AlreadyExists",
      /^configmaps "kept" already exists$/,
    ],
    [
      "too much",
      "POST",
      maps,
      Buffer.alloc(3 * 1024 * 1024 + 1, 32),
      {},
      413,
      "RequestEntityTooLarge",
      /limit is 3145728/,
    ],
    [
      "an unsupported body",
      "POST",
      maps,
      "x",
      { "content-type": "text/plain" },
      415,
      "UnsupportedMediaType",
      /accepted media types include/,
    ],
    [
      "an unsupported patch",
      "PATCH",
      `${maps}/kept`,
      "{}",
      {},
      415,
      "UnsupportedMediaType",
      /^415: Unsupported Media Type$/,
    ],
    [
      "an unknown resource",
      "GET",
      "/api/v1/namespaces/default/nopes",
      undefined,
      {},
      404,
      "NotFound",
      /^the server could not find the requested resource$/,
    ],
    [
      "a future revision",
      "GET",
      `${maps}?resourceVersion=999999&resourceVersionMatch=Exact`,
      undefined,
      {},
      504,
      "Timeout",
      /Too large resource version: 999999/,
    ],
    [
      "a bad token",
      "GET",
      maps,
      undefined,
      { authorization: "Bearer nonsense" },
      401,
      "Unauthorized",
      /^Unauthorized$/,
    ],
  ]
  // The administrator's certificate would outvote a bad token.
  using anonymous = createTransport({ server: transport.server, tls: () => ({ rejectUnauthorized: false }) })
  for (const [what, method, path, body, headers, code, reason, message] of cases) {
    const answer = await send(headers["authorization"] ? anonymous : transport, method, path, body, headers)
    assert.equal(answer.code, code, `${what}: ${answer.message}`)
    assert.equal(answer.reason, reason, what)
    assert.match(answer.message, message, what)
  }
  const kept = await cluster.client.get(configMap, { namespace: "default", name: "kept" })
  assert.deepEqual(kept.data, { a: "2" })
  const left = await cluster.client.list(configMap, { namespace: "default" })
  // Beside the authority's certificate, which every namespace gets.
  assert.deepEqual(
    left.items.map((item) => item.metadata.name).filter((name) => name !== "kube-root-ca.crt"),
    ["kept"],
  )
})

test("a token is refused when it has expired or was signed by somebody else", async () => {
  await using cluster = await startControlPlane({ port: 0 })
  using transport = createTransport({
    server: resolveContext(cluster.kubeconfig!).transport.server,
    tls: () => ({ rejectUnauthorized: false }),
  })
  const { status } = await cluster.client.createSubresource<{ status: { token: string } }>(
    serviceAccount,
    { namespace: "default", name: "default" },
    "token",
    { spec: { expirationSeconds: 600 } },
  )
  const whoami = (token: string): Promise<Answer & Record<string, any>> =>
    send(
      transport,
      "POST",
      "/apis/authentication.k8s.io/v1/selfsubjectreviews",
      '{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1"}',
      { authorization: `Bearer ${token}` },
    )
  const me = await whoami(status.token)
  assert.equal(me["status"].userInfo.username, "system:serviceaccount:default:default")

  const [head, payload] = status.token.split(".") as [string, string]
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString("utf8")) as Record<string, unknown>
  const forge = (change: object): string => {
    const text = `${head}.${Buffer.from(JSON.stringify({ ...claims, ...change })).toString("base64url")}`
    const key = createPrivateKey(cluster.signingKey)
    return `${text}.${sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`
  }
  assert.equal((await whoami(forge({}))).code, 201)
  assert.equal((await whoami(forge({ exp: Math.floor(cluster.env.clock.now() / 1000) - 60 }))).code, 401)
  assert.equal((await whoami(forge({ iss: "https://elsewhere" }))).code, 401)
  assert.equal((await whoami(`${status.token.slice(0, -4)}AAAA`)).code, 401)
})
