/** A kind that is made while the server runs, with a subresource of its own: over HTTP and through the loopback client. */
import assert from "node:assert/strict"
import { test } from "node:test"
import {
  badRequest,
  defineKind,
  type Field,
  isNotFound,
  type Kind,
  type KubeObject,
  type Schema,
  schemaOf,
  statusOf,
} from "@knarr/apimachinery"
import { request } from "../../endpoints/testing.ts"
import { startTestRegistry, type TestRegistry } from "../testing.ts"
import { updateObject } from "../update.ts"
import { mainStrategy } from "../update-strategies.ts"
import { defineHandler } from "./handler.ts"

interface Boat extends KubeObject {
  spec: { crew?: number; sails?: number }
  status?: { crew?: number }
}

/** What `trim` takes. */
interface Trim extends KubeObject {
  sails: number
}

const integer: Schema = { type: "integer", format: "int64" }
const text: Schema = { type: "string" }

function shape(fields: Record<string, Schema>): Schema {
  const all = { apiVersion: text, kind: text, ...fields }
  return {
    type: "object",
    fields: new Map(
      Object.entries(all).map(([name, schema]): [string, Field] => [name, { name, schema, required: false }]),
    ),
  }
}

const metadata = schemaOf("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
const part = (fields: Record<string, Schema>): Schema => {
  const { apiVersion: _, kind: __, ...own } = Object.fromEntries(shape(fields).fields!)
  return { type: "object", fields: new Map(Object.entries(own)) }
}

/** Made as a CustomResourceDefinition would make it. */
const boat: Kind<Boat> = defineKind<Boat>({
  group: "example.com",
  version: "v1",
  kind: "Boat",
  plural: "boats",
  namespaced: true,
  rules: "structural",
  subresources: [
    "status",
    "scale",
    {
      name: "trim",
      verbs: ["create", "get"],
      kind: {
        group: "example.com",
        version: "v1",
        kind: "Trim",
        schema: shape({ metadata, sails: integer }),
      },
    },
  ],
  schema: shape({
    metadata,
    spec: part({ crew: integer, sails: integer }),
    status: part({ crew: integer }),
  }),
  scale: {
    replicasPath: ["spec", "crew"],
    getReplicas: ({ spec }) => spec.crew ?? 0,
    setReplicas(obj, crew) {
      obj.spec.crew = crew
    },
    statusReplicas: ({ status }) => status?.crew ?? 0,
    selector: () => "",
  },
})

const trimOf = ({ metadata: { name, namespace = "" }, spec }: Readonly<Boat>): Trim => ({
  kind: "Trim",
  apiVersion: "example.com/v1",
  metadata: { name, namespace } as Trim["metadata"],
  sails: spec.sails ?? 0,
})

const trim = defineHandler<Trim>({
  name: "trim",
  async get({ storage, ref }, { resourceVersion, signal }) {
    const object = await storage.get(ref, resourceVersion, signal)
    return { code: 200, value: trimOf(storage.view.value(object) as Boat) }
  },
  async create({ storage, ref }, { sails }, request) {
    if (sails > 9) throw badRequest("that many sails tear the mast")
    const { object } = await updateObject(storage, ref, request, {
      subresource: "trim",
      strategy: mainStrategy,
      next(current) {
        if (!current) throw storage.notFound(ref.name)
        const { spec, ...rest } = structuredClone(current) as Boat
        const next: Boat = { ...rest, spec: { ...spec, sails } }
        return next
      },
    })
    return { code: 201, value: trimOf(storage.view.value(object) as Boat) }
  },
})

interface Way {
  create(body: object): Promise<unknown>
  get(subresource: string, name?: string): Promise<unknown>
  patch(subresource: string, body: object, type?: "merge" | "strategic" | "apply"): Promise<unknown>
  put(subresource: string, body: object): Promise<unknown>
  post(subresource: string, body: object): Promise<unknown>
  delete(): Promise<unknown>
}

const namespace = "sea"
const name = "knarr"
const types = {
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
}

function overHttp(t: TestRegistry): Way {
  const path = `/apis/example.com/v1/namespaces/${namespace}/boats`
  const one = (subresource: string, of = name): string =>
    `${path}/${of}${subresource === "" ? "" : `/${subresource}`}`
  const ask = async (method: string, url: string, body?: object, contentType = "application/json") =>
    (await request(t, method, url, { body, headers: { "content-type": contentType } })).json()
  return {
    create: (body) => ask("POST", path, body),
    get: (subresource, of) => ask("GET", one(subresource, of)),
    patch: (subresource, body, type = "merge") =>
      ask("PATCH", `${one(subresource)}?${type === "apply" ? "fieldManager=test" : ""}`, body, types[type]),
    put: (subresource, body) => ask("PUT", one(subresource), body),
    post: (subresource, body) => ask("POST", one(subresource), body),
    delete: () => ask("DELETE", one("")),
  }
}

function throughLoopback({ client }: TestRegistry): Way {
  const ref = { namespace, name }
  const told = async (work: Promise<unknown>): Promise<unknown> => {
    try {
      return await work
    } catch (thrown) {
      const status = statusOf(thrown)
      if (!status) throw thrown
      return status
    }
  }
  return {
    create: (body) => told(client.create(boat, body as Boat)),
    get: (subresource, of = name) => told(client.getSubresource(boat, { namespace, name: of }, subresource)),
    patch: (subresource, body, type = "merge") =>
      told(client.patch(boat, ref, type, body, { subresource, fieldManager: "test" })),
    put: (subresource, body) => told(client.update(boat, body as Boat, { subresource })),
    post: (subresource, body) => told(client.createSubresource(boat, ref, subresource, body)),
    delete: () => told(client.delete(boat, ref)),
  }
}

const boatBody = {
  apiVersion: "example.com/v1",
  kind: "Boat",
  metadata: { name, namespace },
  spec: { crew: 3, sails: 1 },
}

/** What a kind can be asked, and what it answers. */
async function voyage(way: Way): Promise<unknown[]> {
  const scale = { apiVersion: "autoscaling/v1", kind: "Scale", metadata: { name, namespace } }
  const order = { apiVersion: "example.com/v1", kind: "Trim", metadata: { name } }
  return [
    await way.create(boatBody),
    await way.patch("status", { spec: { crew: 9 }, status: { crew: 2 } }),
    await way.get("status"),
    await way.get("scale"),
    await way.patch("scale", { spec: { replicas: 5 } }),
    await way.patch("scale", { ...scale, spec: { replicas: 6 } }, "apply"),
    await way.patch("scale", { spec: { replicas: 7 } }, "strategic"),
    await way.put("scale", { ...scale, spec: { replicas: 8 } }),
    await way.put("scale", { ...scale, spec: { replicas: -1 } }),
    await way.post("trim", { ...order, sails: 4, keel: 1 }),
    await way.post("trim", { ...order, sails: 10 }),
    await way.get("trim"),
    await way.get("trim", "raft"),
    await way.get("anchor"),
    await way.get(""),
    await way.delete(),
    await way.get(""),
  ]
}

test("a kind that is made at run time answers the same over HTTP and through the loopback client", async () => {
  const answers: unknown[][] = []
  for (const wayOf of [overHttp, throughLoopback]) {
    await using t = await startTestRegistry({ kinds: [] })
    await t.registry.addKind(boat, [trim])
    answers.push(JSON.parse(JSON.stringify(await voyage(wayOf(t)))) as unknown[])
    t.registry.removeKind(boat)
    assert.equal(t.registry.find("example.com", "v1", "boats"), undefined)
  }
  const [http, loopback] = answers as [any[], any[]]
  for (const [i, answer] of http.entries()) assert.deepEqual(loopback[i], answer, `answer ${i}`)

  const [
    made,
    status,
    ,
    scale,
    patched,
    applied,
    strategic,
    ,
    negative,
    trimmed,
    torn,
    ,
    raft,
    anchor,
    last,
  ] = http
  assert.deepEqual(made.spec, { crew: 3, sails: 1 })
  assert.deepEqual([status.spec.crew, status.status.crew], [3, 2])
  assert.deepEqual([scale.kind, scale.spec.replicas, scale.status.replicas], ["Scale", 3, 2])
  assert.deepEqual([patched.spec.replicas, applied.code], [5, 409])
  assert.equal(strategic.code, 415)
  assert.match(negative.message, /must be greater than or equal to 0/)
  assert.equal(trimmed.sails, 4)
  assert.equal(torn.message, "that many sails tear the mast")
  assert.equal(raft.message, 'boats.example.com "raft" not found')
  assert.equal(anchor.message, "the server could not find the requested resource")
  assert.deepEqual(last.spec, { crew: 8, sails: 4 })
  assert.deepEqual(
    last.metadata.managedFields.map((one: { subresource?: string }) => one.subresource ?? "").sort(),
    ["", "scale", "status", "trim"],
  )
})

test("two handlers for the same are refused, and a kind's own go before those of any kind", async () => {
  await using t = await startTestRegistry({ kinds: [] })
  assert.throws(
    () => t.registry.handlers.add(defineHandler({ name: "scale" })),
    /Cannot add a handler of "\/scale": there is one already/,
  )
  const own = defineHandler({
    name: "scale",
    async get({ ref }) {
      return { code: 200, value: { own: ref.name } }
    },
  })
  await t.registry.addKind(boat, [own, trim])
  assert.deepEqual(await t.client.getSubresource(boat, { namespace, name }, "scale"), { own: name })
  const missing = t.client.getSubresource(boat, { namespace, name }, "trim")
  await assert.rejects(missing, isNotFound)
})
