import { startTestRegistry } from "./src/registry/testing.ts"
import { request } from "./src/endpoints/testing.ts"
import { createResourceHandler } from "./src/endpoints/resources.ts"
import { parseRequestInfo } from "./src/server/request-info.ts"
import { pod } from "@knarr/api"
const t = await startTestRegistry({})
const big = (name: string) => ({ metadata: { name, namespace: "default", labels: { app: "x", "pod-template-hash": "abc" } , annotations: { a: "y".repeat(1500) }}, spec: { nodeName: "n" + (Number(name.slice(1)) % 50), containers: [{ name: "c", image: "nginx", env: [{ name: "A", value: "B" }], resources: { requests: { cpu: "100m", memory: "100Mi" } } }] } })
const N = 5000
let t0 = performance.now()
for (let i = 0; i < N; i++) await t.client.create(pod, big("p" + i) as never)
console.log("create loopback us", ((performance.now() - t0) / N) * 1000, t.registry.storage(pod).cache.bytes / N)
t0 = performance.now()
for (let i = 0; i < N; i++) await t.client.patch(pod, { namespace: "default", name: "p" + i }, "strategic", { status: { phase: "Running", podIP: "1.2.3." + (i % 250) } }, { subresource: "status" })
console.log("status patch us", ((performance.now() - t0) / N) * 1000)
const handler = createResourceHandler(t.registry)
const ctl = new AbortController()
const mk = (method: string, path: string, q: string, sink: any) => ({ method, path, query: new URLSearchParams(q), headers: { "user-agent": "x/1", accept: "application/json" }, signal: ctl.signal, body: async () => Buffer.alloc(0), setHeader() {}, respond() { sink.n++ }, stream: () => ({ write(b: Buffer) { sink.n++; sink.b += b.length; return true }, pendingBytes: 0, async drained() {}, end() {}, abort() {} }) })
const user = { name: "a", groups: ["system:masters"] }
async function call(method: string, path: string, q = "", sink: any = { n: 0, b: 0 }) {
  const ex = mk(method, path, q, sink)
  await handler(ex as never, { user, info: parseRequestInfo(method, path, ex.query), userAgent: "x/1", signal: ctl.signal, warnings: [] })
  return sink
}
for (let r = 0; r < 3; r++) {
  t0 = performance.now()
  for (let i = 0; i < 20000; i++) await call("GET", "/api/v1/namespaces/default/pods/p" + (i % N))
  console.log("get us", (performance.now() - t0) / 20)
}
for (let r = 0; r < 4; r++) {
  t0 = performance.now()
  const c0 = process.cpuUsage()
  const s = await call("GET", "/api/v1/pods")
  const c = process.cpuUsage(c0)
  console.log("list ms", performance.now() - t0, "cpu ms", (c.user + c.system) / 1000, s)
}
t0 = performance.now()
await call("GET", "/api/v1/pods", "labelSelector=none%3Dx")
console.log("list none ms", performance.now() - t0)
t0 = performance.now()
for (let i = 0; i < 100; i++) await call("GET", "/api/v1/pods", "fieldSelector=spec.nodeName%3Dn3")
console.log("list by node us", (performance.now() - t0) * 10)
const sinks: any[] = []
for (let i = 0; i < 100; i++) { const s = { n: 0, b: 0 }; sinks.push(s); void call("GET", "/api/v1/pods", "watch=true&resourceVersion=" + t.registry.follower.revision, s).catch(() => {}) }
await new Promise((r) => setTimeout(r, 50))
const M = 500
t0 = performance.now()
for (let i = 0; i < M; i++) await t.client.patch(pod, { namespace: "default", name: "p" + i }, "merge", { metadata: { labels: { i: "x" + i } } })
let ms = performance.now() - t0
console.log("patch with 100 watchers us", (ms / M) * 1000, "per delivered", (ms / M / 100) * 1000, sinks[0])
process.exit(0)
