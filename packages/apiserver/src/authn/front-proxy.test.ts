import assert from "node:assert/strict"
import { request } from "node:https"
import { connect } from "node:http2"
import { test } from "node:test"
import { configMap } from "@knarr/api"
import { Scope, type KeyPair } from "@knarr/base"
import { testCertificates, startTestServer } from "../testing.ts"

const certificates = testCertificates()
const proxies = testCertificates()
const path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
const review = JSON.stringify({ apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" })

test("a front proxy names users by its headers, and nobody else does", async () => {
  await using scope = new Scope("test")
  const server = await startTestServer(scope, certificates, {
    requestHeader: { clientCA: proxies.ca.cert, allowedNames: ["front-proxy-client"] },
    shutdownGraceSeconds: 0.2,
  })
  const ask = (pair: KeyPair | undefined, headers: string[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const sent = request(
        {
          host: "127.0.0.1",
          port: server.port,
          method: "POST",
          path,
          headers: ["Host", "x", "Content-Type", "application/json", ...headers],
          ca: certificates.ca.cert,
          agent: false,
          ...pair,
        },
        (response) => {
          let text = ""
          response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
          response.on("end", () =>
            resolve(response.statusCode === 201 ? JSON.parse(text).status.userInfo : response.statusCode),
          )
        },
      )
      sent.on("error", reject)
      sent.end(review)
    })
  const proxy = proxies.client("front-proxy-client")
  const eve = ["X-Remote-User", "eve"]
  const named = { username: "eve", groups: ["a, b", "c", "system:authenticated"], uid: "7" }
  const all = [
    ...eve,
    ...["X-Remote-Uid", "7", "X-Remote-Group", "a, b", "X-Remote-Group", "c", "X-Remote-Group", ""],
    ...["X-Remote-Extra-Scopes", "x", "X-Remote-Extra-Scopes", "y,z", "X-Remote-Extra-example.com%2fid", "1"],
  ]
  assert.deepEqual(await ask(proxy, all), {
    ...named,
    extra: { "example.com/id": ["1"], scopes: ["x", "y,z"] },
  })
  assert.deepEqual(await ask(proxy, []), 401, "the proxy's certificate is nobody's")
  assert.deepEqual(await ask(proxies.client("other"), eve), 401, "its name is not allowed")
  assert.deepEqual(await ask(undefined, eve), 403, "without a certificate: anonymous")
  const client = certificates.client("bob", "devs")
  const { username } = (await ask(client, eve)) as { username: string }
  assert.equal(username, "bob", "a client says nothing about others")

  const session = connect(`https://127.0.0.1:${server.port}`, { ca: certificates.ca.cert, ...proxy })
  const stream = session.request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/json",
    "x-remote-user": "eve",
    "x-remote-uid": "7",
    "x-remote-group": ["a, b", "c"],
  })
  let text = ""
  stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
  stream.end(review)
  await new Promise((resolve) => stream.on("end", resolve))
  session.destroy()
  assert.deepEqual(JSON.parse(text).status.userInfo, named)

  const at = { namespace: "kube-system", name: "extension-apiserver-authentication" }
  assert.deepEqual((await server.client().get(configMap, at)).data, {
    "client-ca-file": certificates.ca.cert,
    "requestheader-allowed-names": '["front-proxy-client"]',
    "requestheader-client-ca-file": proxies.ca.cert,
    "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
    "requestheader-group-headers": '["X-Remote-Group"]',
    "requestheader-uid-headers": '["X-Remote-Uid"]',
    "requestheader-username-headers": '["X-Remote-User"]',
  })
})
