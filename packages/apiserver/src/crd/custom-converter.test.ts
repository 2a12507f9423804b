import assert from "node:assert/strict"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { setImmediate } from "node:timers/promises"
import { after, before, describe, it } from "node:test"
import { customResourceDefinition, type CustomResourceDefinition } from "@knarr/api"
import type { Kind, KubeObject } from "@knarr/apimachinery"
import type { ControlPlane } from "../control-plane.ts"
import { refusalMessage, testCertificates, testEnv, withTestPlane } from "../testing.ts"

interface Address extends KubeObject {
  spec?: { host?: string; port?: number; address?: string; kept?: string }
}

const certificates = testCertificates()
const asked: { objects: Address[]; desiredAPIVersion: string }[] = []
let answer: (object: Address, version: string) => unknown
const server = createServer(
  { cert: certificates.server.cert, key: certificates.server.key },
  (request, response) => {
    let text = ""
    request.setEncoding("utf8").on("data", (chunk: string) => (text += chunk))
    request.on("end", () => {
      const review = JSON.parse(text) as {
        request: { uid: string; objects: Address[]; desiredAPIVersion: string }
      }
      const { uid, objects, desiredAPIVersion } = review.request
      asked.push({ objects, desiredAPIVersion })
      const convertedObjects = objects.map((object) => answer(object, desiredAPIVersion))
      response.end(
        JSON.stringify({ ...review, response: { uid, result: { status: "Success" }, convertedObjects } }),
      )
    })
  },
)
let port = 0
before(async () => {
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  port = (server.address() as AddressInfo).port
})
after(() => {
  server.closeAllConnections()
  server.close()
})

/** v1 has host and port, v2 has them in one. */
function converted(object: Address, apiVersion: string): Address {
  const { host, port: number, address = "" } = object.spec ?? {}
  const [h, p] = address.split(":")
  const spec = apiVersion.endsWith("v2") ? { address: `${host}:${number}` } : { host: h!, port: Number(p) }
  return { ...object, apiVersion, spec }
}

const group = "net.example"
const text = { type: "string" }
const version = (name: string, storage: boolean, properties: object): object => ({
  name,
  served: true,
  storage,
  schema: { openAPIV3Schema: { type: "object", properties: { spec: { type: "object", properties } } } },
})

function definition(conversion: object): CustomResourceDefinition {
  return {
    metadata: { name: `addresses.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { plural: "addresses", kind: "Address" },
      conversion,
      versions: [
        version("v1", true, { host: text, port: { type: "integer" }, kept: text }),
        version("v2", false, { address: text, kept: { ...text, default: "yes" } }),
      ],
    },
  } as never
}

const webhook = (): object => ({
  strategy: "Webhook",
  webhook: {
    conversionReviewVersions: ["v1"],
    clientConfig: {
      url: `https://localhost:${port}/convert`,
      caBundle: Buffer.from(certificates.ca.cert).toString("base64"),
    },
  },
})

async function withKinds(
  conversion: object,
  run: (plane: ControlPlane, v1: Kind<Address>, v2: Kind<Address>) => Promise<void>,
): Promise<void> {
  await withTestPlane(
    async (plane) => {
      await plane.client().create(customResourceDefinition, definition(conversion))
      const kind = (name: string): Kind<Address> | undefined =>
        plane.registry.find(group, name, "addresses")?.kind
      for (let turns = 0; turns < 500 && !kind("v2"); turns++) await setImmediate()
      await run(plane, kind("v1")!, kind("v2")!)
    },
    { env: testEnv },
  )
}

const object = (spec: object): Address => ({ metadata: { name: "one", namespace: "default" }, spec }) as never
const ref = { namespace: "default", name: "one" }

describe("custom resources in several versions", () => {
  it("are converted by the webhook that their definition names, and keep their metadata", async () => {
    await withKinds(webhook(), async (plane, v1, v2) => {
      answer = (one, to) => {
        const changed = converted(one, to)
        return { ...changed, metadata: { ...changed.metadata, labels: { seen: "yes" }, generation: 99 } }
      }
      const client = plane.client()
      const made = await client.create(v2, object({ address: "a:1" }))
      assert.deepEqual(made.spec, { address: "a:1", kept: "yes" })
      const stored = await client.get(v1, ref)
      assert.deepEqual(stored.spec, { host: "a", port: 1 })
      assert.deepEqual(stored.metadata.labels, { seen: "yes" })
      assert.equal(stored.metadata.generation, 1)
      const before = asked.length
      const [listed] = (await client.list(v2, { namespace: "default" })).items
      assert.equal(listed?.spec?.address, "a:1")
      await client.list(v2, { namespace: "default" })
      assert.ok(asked.length <= before + 1, "what was converted once is kept")
    })
  })

  it("tell of a webhook that answers something else, and nothing else suffers", async () => {
    await withKinds(webhook(), async (plane, v1, v2) => {
      const client = plane.client()
      answer = converted
      await client.create(v1, object({ host: "a", port: 1 }))
      answer = (one) => one
      assert.match(
        (await refusalMessage(client.get(v2, ref)))!,
        /conversion webhook for net\.example\/v1, Kind=Address returned invalid converted object at index 0: invalid groupVersion \(expected net\.example\/v2, received net\.example\/v1\)/,
      )
      assert.deepEqual((await client.get(v1, ref)).spec, { host: "a", port: 1 })
      answer = converted
      assert.equal((await client.get(v2, ref)).spec?.address, "a:1")
    })
  })

  it("are pruned and defaulted by the version they are read in when only the version changes", async () => {
    await withKinds({ strategy: "None" }, async (plane, v1, v2) => {
      const client = plane.client()
      await client.create(v1, object({ host: "a", port: 1 }))
      assert.deepEqual((await client.get(v2, ref)).spec, { kept: "yes" })
    })
  })
})
