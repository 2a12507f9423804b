import { deployment, node, pod, event } from "@knarr/api"
import { startControlPlane } from "knarr/testing"
import { createLogger, VirtualClock } from "@knarr/base"
const c = new VirtualClock()
const log = process.env.DBG ? createLogger({ clock: c, level: "debug", write: (l) => process.stderr.write(l) }) : undefined
await using cluster = await startControlPlane({ seed: 1, nodes: 2, ...(log?{log}:{}) })
const { client, clock, informers } = cluster
await client.create(deployment, { metadata: { namespace: "default", name: "web" }, spec: { replicas: 2, selector: { matchLabels: { app: "web" } }, template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image: "web:1" }] } } } } as never)
await clock!.advance(30000)
for (const n of (await client.list(node, {})).items) console.log(JSON.stringify(n.spec), JSON.stringify(n.status.conditions?.map(c=>[c.type,c.status])))
for (const p of (await client.list(pod, {namespace:"default"})).items) console.log(p.metadata.name, p.spec.nodeName, JSON.stringify(p.status))
for (const e of (await client.list(event, {namespace:"default"})).items) console.log(e.reason, e.message)
