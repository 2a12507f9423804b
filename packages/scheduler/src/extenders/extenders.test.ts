import assert from "node:assert/strict"
import { once } from "node:events"
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { after, before, describe, it } from "node:test"
import { Meter, silentLogger, systemClock, systemRandom } from "@knarr/base"
import type { Pod } from "@knarr/api"
import type { WrittenExtender } from "../config/written.ts"
import { NodeStatuses } from "../framework/status.ts"
import { nodeOf, OfflineScheduler, podOf } from "../testing.ts"
import { Extenders } from "./extenders.ts"

const env = { clock: systemClock, random: systemRandom, log: silentLogger, meter: new Meter() }
const { signal } = new AbortController()

describe("Extenders", () => {
  let server: Server
  let url: string
  /** What the server is asked, and what it answers. */
  const asked: { path: string; body: any }[] = []
  let answer: (path: string) => { status?: number; body: unknown }

  before(async () => {
    server = createServer(async (request, response) => {
      const pieces: Buffer[] = []
      for await (const piece of request) pieces.push(piece as Buffer)
      asked.push({ path: request.url!, body: JSON.parse(Buffer.concat(pieces).toString()) })
      const { status = 200, body } = answer(request.url!)
      response.writeHead(status).end(JSON.stringify(body))
    })
    await once(server.listen(0, "127.0.0.1"), "listening")
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/base/`
  })
  after(() => {
    server.closeAllConnections()
    server.close()
  })

  const scheduler = new OfflineScheduler()
  for (const name of ["a", "b", "c"]) scheduler.cache.setNode(nodeOf(name))
  for (const name of ["x", "y"]) scheduler.cache.setPod(podOf({ name, on: "a" }))
  const { snapshot } = scheduler.state()
  const made = (...written: Partial<WrittenExtender>[]): Extenders =>
    new Extenders(
      written.map((one) => ({ urlPrefix: url, ...one })),
      env,
    )

  async function filtered(
    written: Partial<WrittenExtender>,
    reply: { status?: number; body: unknown },
    pod: Pod = podOf(),
  ): Promise<[left: string[], statuses: object]> {
    asked.length = 0
    answer = () => reply
    using extenders = made({ filterVerb: "filter", ...written })
    const statuses = new NodeStatuses()
    const left = await extenders.filter(pod, snapshot.nodes, statuses, signal)
    return [
      left.map(({ name }) => name),
      Object.fromEntries(
        [...statuses.explicit()].map(([name, { code, message }]) => [name, [code, message]]),
      ),
    ]
  }

  it("leave nodes by objects, and refuse others with why", async () => {
    const body = {
      Nodes: { items: [{ metadata: { name: "b" } }] },
      FailedNodes: { a: "busy", c: "busy" },
      FailedAndUnresolvableNodes: { c: "broken" },
    }
    assert.deepEqual(await filtered({}, { body }), [
      ["b"],
      { a: ["Unschedulable", "busy"], c: ["UnschedulableAndUnresolvable", "broken"] },
    ])
    assert.equal(asked[0]!.path, "/base/filter")
    assert.deepEqual(
      asked[0]!.body.Nodes.items.map((node: any) => node.metadata.name),
      ["a", "b", "c"],
    )
    assert.equal(asked[0]!.body.NodeNames, null)
  })

  it("that know the nodes are told names, and answer in small letters, too", async () => {
    const capable = { nodeCacheCapable: true }
    assert.deepEqual((await filtered(capable, { body: { nodenames: ["c", "a"] } }))[0], ["c", "a"])
    assert.deepEqual(asked[0]!.body.NodeNames, ["a", "b", "c"])
    await assert.rejects(
      filtered(capable, { body: { NodeNames: ["z"] } }),
      /claims a filtered node "z" which is not found in the input node list/,
    )
  })

  it("that fail fail the pod, unless they may be ignored", async () => {
    await assert.rejects(filtered({}, { body: { Error: "no idea" } }), { message: "no idea" })
    await assert.rejects(
      filtered({}, { status: 500, body: {} }),
      /failed filter with extender at URL .*, code 500/,
    )
    assert.deepEqual((await filtered({ ignorable: true }, { status: 500, body: {} }))[0], ["a", "b", "c"])
  })

  it("are asked about pods alone that want what they look after", async () => {
    const managed = { managedResources: [{ name: "example.com/x" }] }
    assert.deepEqual((await filtered(managed, { body: {} }))[0], ["a", "b", "c"])
    const resources = { limits: { "example.com/x": "1" } }
    const pod = podOf({ spec: { containers: [{ name: "c", image: "c", resources }] } })
    assert.deepEqual((await filtered(managed, { body: {} }, pod))[0], [])
  })

  it("score on the scale of plugins, and a failure scores nothing", async () => {
    answer = (path) =>
      path === "/base/good"
        ? {
            body: [
              { Host: "b", Score: 4 },
              { Host: "z", Score: 9 },
            ],
          }
        : { status: 500, body: {} }
    using extenders = made({ prioritizeVerb: "good", weight: 3 }, { prioritizeVerb: "bad", weight: 1 })
    assert.deepEqual(await extenders.prioritize(podOf(), snapshot.nodes, signal), [
      { plugin: url, scores: [0, 120, 0] },
    ])
  })

  it("say whom a pod drives away", async () => {
    const pods = [...snapshot.get("a")!.pods.values()].map(({ pod }) => pod)
    const candidates = [{ nodeName: "a", victims: pods, violations: 0 }]
    const preempted = async (pods: object[]): Promise<string[]> => {
      answer = () => ({ body: { NodeNameToMetaVictims: { a: { Pods: pods, NumPDBViolations: 1 } } } })
      using extenders = made({ preemptVerb: "preempt", nodeCacheCapable: true })
      const [left] = await extenders.preempt(podOf(), candidates, snapshot, signal)
      return [...left!.victims.map(({ metadata }) => metadata.name), String(left!.violations)]
    }
    assert.deepEqual(await preempted([{ UID: "y" }]), ["y", "1"])
    assert.deepEqual(asked.at(-1)!.body.NodeNameToMetaVictims.a.Pods, [{ UID: "x" }, { UID: "y" }])
    await assert.rejects(preempted([{ UID: "z" }]), /but the pod is not found on that node/)
    await assert.rejects(preempted([]), /expected at least one victim pod on node "a"/)
  })

  it("bind in the place of the scheduler", async () => {
    answer = () => ({ body: {} })
    using extenders = made({ bindVerb: "bind" })
    assert.equal(await extenders.bind(podOf({ name: "p" }), "a", signal), true)
    assert.deepEqual(asked.at(-1), {
      path: "/base/bind",
      body: { PodName: "p", PodNamespace: "default", PodUID: "p", Node: "a" },
    })
    using others = made({ filterVerb: "filter" })
    assert.equal(await others.bind(podOf(), "a", signal), false)
  })
})
