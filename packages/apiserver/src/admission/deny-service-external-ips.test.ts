import assert from "node:assert/strict"
import { test } from "node:test"
import { service } from "@knarr/api"
import { isForbidden } from "@knarr/apimachinery"
import { withTestPlane } from "../testing.ts"

const at = { namespace: "default", name: "s" }
const body = (externalIPs: string[]): never =>
  ({ metadata: at, spec: { ports: [{ port: 80 }], externalIPs } }) as never

test("external addresses are refused when DenyServiceExternalIPs is on, but those that a Service has", async () => {
  await withTestPlane(async (plane) => {
    await plane.client().create(service, body(["192.0.2.1"]))
  })
  await withTestPlane(
    async (plane) => {
      const client = plane.client()
      await assert.rejects(client.create(service, body(["192.0.2.1"])), isForbidden)
      await client.create(service, body([]))
      const patch = { spec: { externalIPs: ["192.0.2.1"] } }
      await assert.rejects(
        client.patch(service, at, "merge", patch),
        /Use of external IPs is denied by admission control/,
      )
    },
    { admission: { enable: ["DenyServiceExternalIPs"] } },
  )
})
