import assert from "node:assert/strict"
import { connect, type ClientHttp2Session } from "node:http2"
import { request } from "node:https"
import { after, before, describe, it } from "node:test"
import { pod, serviceAccount } from "@knarr/api"
import { Scope, VirtualClock, deferred } from "@knarr/base"
import { type ApiServer } from "./api-server.ts"
import { testCertificates, testEnv, startTestServer } from "./testing.ts"

const certificates = testCertificates()
const admin = certificates.client("admin", "system:masters")
const eve = certificates.client("eve", "devs")

interface Answer {
  status: number
  headers: Record<string, unknown>
  text: string
  json: any
}

describe("API server", () => {
  /** What failed begins again by this clock. */
  const restarts = new VirtualClock()
  const scope = new Scope("test", { env: { ...testEnv, clock: restarts } })
  let server: ApiServer
  let session: ClientHttp2Session | undefined
  let problem = ""

  before(async () => {
    server = await startTestServer(scope, certificates, {
      advertise: { address: "192.0.2.1", port: 6443 },
      shutdownGraceSeconds: 0.2,
      readyChecks: [
        {
          name: "processes",
          check() {
            if (problem !== "") throw new Error(problem)
          },
        },
      ],
    })
    session = connect(`https://127.0.0.1:${server.port}`, {
      ca: certificates.ca.cert,
      cert: admin.cert,
      key: admin.key,
    })
  })

  after(async () => {
    session?.destroy()
    await scope.close()
  })

  function call(
    method: string,
    path: string,
    options: { body?: unknown; as?: typeof eve | null; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const as = options.as === undefined ? admin : options.as
    const headers = {
      ...options.headers,
      ...(options.body === undefined ? {} : { "content-type": "application/json" }),
    }
    return new Promise((resolve, reject) => {
      const r = request(
        {
          host: "127.0.0.1",
          port: server.port,
          path,
          method,
          headers,
          ca: certificates.ca.cert,
          agent: false,
          ...(as ? { cert: as.cert, key: as.key } : {}),
        },
        (response) => {
          let text = ""
          response.setEncoding("utf8")
          response.on("data", (chunk: string) => (text += chunk))
          response.on("end", () => {
            const json = text.startsWith("{") ? (JSON.parse(text) as unknown) : undefined
            resolve({ status: response.statusCode!, headers: response.headers, text, json })
          })
        },
      )
      r.on("error", reject)
      r.end(options.body === undefined ? undefined : JSON.stringify(options.body))
    })
  }

  const get = (path: string, options = {}): Promise<Answer> => call("GET", path, options)

  it("is ready and tells its version", async () => {
    assert.equal((await get("/readyz")).text, "ok")
    assert.match(
      (await get("/readyz?verbose")).text,
      /\[\+\]poststarthook\/rbac\/bootstrap-roles ok\n[^]*readyz check passed\n$/,
    )
    assert.equal((await get("/version")).json.gitVersion.startsWith("v1.37."), true)
    assert.equal((await get("/healthz/nope")).status, 404)
  })

  it("is not ready while a part that its owner named is not", async () => {
    assert.equal((await get("/readyz/processes")).text, "ok")
    problem = "node-0 does not run"
    assert.match((await get("/readyz")).text, /^\[-\]processes failed: reason withheld$/m)
    assert.equal((await get("/readyz/processes")).text, "internal server error: node-0 does not run\n")
    assert.equal((await get("/readyz?exclude=processes")).text, "ok")
    assert.equal((await get("/livez")).text, "ok")
    problem = ""
  })

  it("is not ready while background work has failed and waits for its next start", async () => {
    const mended = deferred()
    let starts = 0
    const work = async (): Promise<void> => {
      if (starts++ === 0) throw new Error("broken")
      mended.resolve()
    }
    scope.run("part", work, { restart: { firstMs: 300 } })
    await new Promise(setImmediate)
    assert.deepEqual(
      [await get("/readyz/tasks"), await get("/readyz")].map(({ status, text }) => [
        status,
        text.split("\n")[0],
      ]),
      [
        [500, "internal server error: test/part is started again (1 failures): broken"],
        [500, "[+]ping ok"],
      ],
    )
    await restarts.advance(300)
    await mended.promise
    assert.equal((await get("/readyz")).text, "ok")
  })

  it("has the objects that every cluster begins with", async () => {
    const names = async (path: string): Promise<string[]> =>
      (await get(path)).json.items.map((o: any) => o.metadata.name)
    assert.deepEqual(await names("/api/v1/namespaces"), [
      "default",
      "kube-node-lease",
      "kube-public",
      "kube-system",
    ])
    const roles = await names("/apis/rbac.authorization.k8s.io/v1/clusterroles")
    assert.ok(roles.includes("cluster-admin") && roles.includes("system:node"))
    assert.deepEqual(
      (await get("/api/v1/namespaces/default/services/kubernetes")).json.spec.clusterIP,
      "10.96.0.1",
    )
    assert.deepEqual((await get("/api/v1/namespaces/default/endpoints/kubernetes")).json.subsets, [
      { addresses: [{ ip: "192.0.2.1" }], ports: [{ name: "https", port: 6443, protocol: "TCP" }] },
    ])
  })

  it("serves discovery in both forms", async () => {
    const groups = (await get("/apis")).json.groups.map((g: any) => g.name)
    assert.deepEqual(groups.slice(0, 3), ["apiregistration.k8s.io", "apps", "events.k8s.io"])
    const core = (await get("/api/v1")).json
    const configMaps = core.resources.find((r: any) => r.name === "configmaps")
    assert.deepEqual([configMaps.storageVersionHash, configMaps.shortNames], ["qFsyl6wFWjQ=", ["cm"]])
    const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"
    const aggregated = await get("/apis", { headers: { accept } })
    assert.equal(
      aggregated.headers["content-type"],
      "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
    )
    assert.equal(aggregated.json.items[1].metadata.name, "apps")
    const again = await get("/apis", {
      headers: { accept, "if-none-match": String(aggregated.headers["etag"]) },
    })
    assert.equal(again.status, 304)
    assert.equal((await get("/apis/nope")).text, "404 page not found\n")
    assert.equal(
      (await get("/apis/apps/v9")).json.message,
      "the server could not find the requested resource",
    )
  })

  it("publishes OpenAPI", async () => {
    const index = (await get("/openapi/v3")).json
    const document = (await get(index.paths["apis/apps/v1"].serverRelativeURL)).json
    const deployment = document.components.schemas["io.k8s.api.apps.v1.Deployment"]
    assert.deepEqual(deployment["x-kubernetes-group-version-kind"], [
      { group: "apps", kind: "Deployment", version: "v1" },
    ])
    const { patch } = document.paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]
    assert.ok(patch.parameters.some((p: any) => p.name === "fieldValidation"))
    assert.equal((await get("/openapi/v2")).json.swagger, "2.0")
  })

  it("says no in upstream's words", async () => {
    assert.equal(
      (await get("/api/v1/namespaces/default/pods/x", { as: eve })).json.message,
      'pods "x" is forbidden: User "eve" cannot get resource "pods" in API group "" in the namespace "default"',
    )
    assert.equal(
      (await get("/api", { as: null })).json.message,
      'forbidden: User "system:anonymous" cannot get path "/api"',
    )
    assert.equal((await get("/healthz", { as: null })).text, "ok")
    const bad = await get("/api", { as: null, headers: { authorization: "Bearer x" } })
    assert.deepEqual([bad.status, bad.json.message], [401, "Unauthorized"])
    assert.equal(
      (await call("DELETE", "/api/v1/namespaces/default")).json.message,
      'namespaces "default" is forbidden: this namespace may not be deleted',
    )
  })

  it("gives by RBAC at once", async () => {
    const body = {
      metadata: { name: "eve-view" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "eve" }],
    }
    assert.equal(
      (await call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", { body })).status,
      201,
    )
    assert.equal((await get("/api/v1/pods", { as: eve })).status, 200)
    const review = {
      spec: { user: "eve", resourceAttributes: { verb: "list", resource: "pods", namespace: "default" } },
    }
    const answer = await call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", { body: review })
    assert.deepEqual(answer.json.status, {
      allowed: true,
      reason: 'RBAC: allowed by ClusterRoleBinding "eve-view" of ClusterRole "view" to User "eve"',
    })
  })

  it("issues and takes service account tokens, and gives pods a token volume", async () => {
    const client = server.client()
    await client.create(serviceAccount, {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { namespace: "default", name: "robot" },
    })
    const issued = await call("POST", "/api/v1/namespaces/default/serviceaccounts/robot/token", {
      body: { spec: { expirationSeconds: 3600 } },
    })
    assert.equal(issued.status, 201, issued.text)
    const authorization = `Bearer ${issued.json.status.token}`
    const whoAmI = await call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {
      body: {},
      as: null,
      headers: { authorization },
    })
    assert.equal(whoAmI.json.status.userInfo.username, "system:serviceaccount:default:robot")
    const created = await client.create(pod, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { namespace: "default", name: "p" },
      spec: {
        serviceAccountName: "robot",
        containers: [
          { name: "a", image: "x" },
          { name: "b", image: "y" },
        ],
      },
    })
    assert.match(created.spec.volumes![0]!.name, /^kube-api-access-[a-z0-9]{5}$/)
    assert.equal(
      created.spec.containers[0]!.volumeMounts![0]!.mountPath,
      "/var/run/secrets/kubernetes.io/serviceaccount",
    )
    assert.deepEqual(
      created.spec.tolerations!.map((t) => t.key),
      ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"],
    )
    assert.deepEqual([created.spec.priority, created.spec.preemptionPolicy], [0, "PreemptLowerPriority"])
    assert.equal(
      (await get("/api/v1/namespaces/default/pods/p/log")).json.message,
      "a container name must be specified for pod p, choose one of: [a b]",
    )
    assert.equal(
      (await call("POST", "/api/v1/namespaces/default/pods/p/exec?container=a")).json.message,
      "pod p does not have a host assigned",
    )
  })

  it("acts as others for who may", async () => {
    const headers = { "impersonate-user": "bob", "impersonate-group": "devs" }
    const answer = await call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {
      body: {},
      headers,
    })
    assert.deepEqual(answer.json.status.userInfo, {
      username: "bob",
      groups: ["devs", "system:authenticated"],
    })
    const refused = await call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {
      body: {},
      headers,
      as: eve,
    })
    assert.equal(
      refused.json.message,
      'selfsubjectreviews.authentication.k8s.io is forbidden: User "eve" cannot impersonate-on:user-info:create resource "selfsubjectreviews" in API group "authentication.k8s.io" at the cluster scope',
    )
  })

  it("watches over HTTP/2", async () => {
    const stream = session!.request({
      ":path": "/api/v1/namespaces/default/configmaps?watch=true&resourceVersion=0",
    })
    const lines: string[] = []
    const seen = Promise.withResolvers<void>()
    let text = ""
    stream.setEncoding("utf8")
    stream.on("data", (chunk: string) => {
      text += chunk
      lines.splice(0, lines.length, ...text.split("\n"))
      if (text.includes('"watched"')) seen.resolve()
    })
    await new Promise((resolve) => stream.once("response", resolve))
    const body = { metadata: { name: "watched" }, data: { a: "b" } }
    assert.equal((await call("POST", "/api/v1/namespaces/default/configmaps", { body })).status, 201)
    await seen.promise
    stream.close()
  })

  it("counts requests", async () => {
    const { text } = await get("/metrics")
    assert.match(text, /apiserver_request_total\{verb="GET",dry_run="",group="",version="v1",resource="pods"/)
    assert.match(text, /apiserver_resource_objects\{group="",resource="namespaces"\} 4/)
  })

  it("counts what nobody serves together, whatever a client makes up", async () => {
    const paths: [method: string, path: string][] = [
      ["GET", "/api/v1/namespaces/default/pods/x/made-up"],
      ["POST", "/api/v1/namespaces/default/pods/x/made-up"],
      ["GET", "/api/v1/namespaces/default/made-up/x/status"],
      ["GET", "/apis/made-up/v1/pods"],
      ["GET", "/apis/apps/made-up/deployments"],
      ["MKCOL", "/api/v1/pods"],
      ["GET", "/made-up"],
      ["PATCH", "/api/v1/namespaces/default/configmaps/x?fieldValidation=made-up&dryRun=made-up"],
    ]
    const headers = { "user-agent": "made-up", "x-request-id": "made-up" }
    for (const [method, path] of paths)
      for (const as of [admin, null]) await call(method, path, { as, headers })
    const { text } = await get("/metrics")
    assert.doesNotMatch(text, /made-up|MKCOL/i)
    assert.match(
      text,
      /apiserver_request_total\{verb="GET",dry_run="",group="",version="",resource="",subresource=""/,
    )
    await get("/api/v1/namespaces/default/pods/x/log")
    assert.match((await get("/metrics")).text, /resource="pods",subresource="log"/)
  })
})
