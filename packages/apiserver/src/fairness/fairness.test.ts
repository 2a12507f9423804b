import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { flowSchema, priorityLevelConfiguration } from "@knarr/api"
import { Scope, VirtualClock } from "@knarr/base"
import { virtualEnv } from "@knarr/testkit"
import { keepFairnessObjects } from "../bootstrap/fairness-objects.ts"
import type { ControlPlane } from "../control-plane.ts"
import type { UserInfo } from "../contract.ts"
import { parseRequestInfo } from "../server/request-info.ts"
import { withTestPlane } from "../testing.ts"
import { dumpPriorityLevels, tabbed } from "./debug.ts"
import { Fairness } from "./fairness.ts"
import type { Flow } from "./flow.ts"
import { NoSeat, type Ticket } from "./level.ts"
import { allocate, seatLimits } from "./limits.ts"
import { RetryAfter } from "./retry-after.ts"
import { seatsOf } from "./seats.ts"
import { deal } from "./shuffle-sharding.ts"

const user = (name: string, ...groups: string[]): UserInfo => ({ name, groups })
const everybody = "system:authenticated"

interface Room {
  readonly fairness: Fairness
  readonly plane: ControlPlane
  readonly clock: VirtualClock
}

async function withFairness(seats: number, run: (room: Room) => Promise<void>): Promise<void> {
  await withTestPlane(async (plane) => {
    const env = virtualEnv()
    const { clock } = env
    await using scope = new Scope("test")
    await run({ fairness: new Fairness(env, plane.registry, seats, scope), plane, clock })
  })
}

const asking = {
  query: new URLSearchParams(),
  signal: new AbortController().signal,
  path: "/",
}

function flowOf({ fairness }: Room, who: UserInfo, method: string, path: string): Flow {
  return fairness.flowOf(who, parseRequestInfo(method, path, new URLSearchParams()))
}

/** Who asks for what, and the schema and the level that the published server finds. */
const classified: readonly (readonly [
  who: UserInfo,
  method: string,
  path: string,
  schema: string,
  level: string,
])[] = [
  [user("admin", "system:masters", everybody), "GET", "/api/v1/pods", "exempt", "exempt"],
  [user("system:anonymous", "system:unauthenticated"), "GET", "/healthz", "probes", "exempt"],
  [
    user("system:node:n", "system:nodes", everybody),
    "PATCH",
    "/api/v1/nodes/n/status",
    "system-node-high",
    "node-high",
  ],
  [user("system:node:n", "system:nodes", everybody), "GET", "/api/v1/pods", "system-nodes", "system"],
  [
    user("system:kube-scheduler", everybody),
    "PUT",
    "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler",
    "system-leader-election",
    "leader-election",
  ],
  [user("system:kube-scheduler", everybody), "GET", "/api/v1/pods", "kube-scheduler", "workload-high"],
  [
    user("system:serviceaccount:a:b", "system:serviceaccounts", everybody),
    "GET",
    "/api/v1/pods",
    "service-accounts",
    "workload-low",
  ],
  [user("alice", everybody), "GET", "/api/v1/pods", "global-default", "global-default"],
  [user("nobody"), "GET", "/api/v1/pods", "catch-all", "catch-all"],
]

describe("Priority and fairness", () => {
  it("finds the schema and the level of a request", async () => {
    await withFairness(600, async (room) => {
      for (const [who, method, path, schema, level] of classified) {
        const flow = flowOf(room, who, method, path)
        assert.deepEqual(
          [flow.schema.name, flow.schema.level.spec.name],
          [schema, level],
          `${who.name} ${path}`,
        )
      }
    })
  })

  it("gives each level what the published server gives it", async () => {
    await withFairness(600, async ({ fairness }) => {
      const limits = [...fairness.levels].map(
        ([
          name,
          {
            limits: { nominal, min, max },
          },
        ]) => [name, nominal, min, max],
      )
      assert.deepEqual(limits.sort(), [
        ["catch-all", 13, 13, 613],
        ["exempt", 0, 0, 600],
        ["global-default", 49, 24, 649],
        ["leader-election", 25, 25, 625],
        ["node-high", 98, 73, 698],
        ["system", 74, 50, 674],
        ["workload-high", 98, 49, 698],
        ["workload-low", 245, 24, 845],
      ])
    })
  })

  it("takes objects at their word when they are written, and says when a level is missing", async () => {
    await withFairness(600, async (room) => {
      const { plane, fairness } = room
      const client = plane.client()
      const { env } = plane.registry
      await using scope = new Scope("objects", { env })
      await keepFairnessObjects({ env, registry: plane.registry, client, scope })
      const rules = [
        {
          subjects: [{ kind: "User", user: { name: "alice" } }],
          nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
        },
      ]
      await client.create(flowSchema, {
        metadata: { name: "mine" },
        spec: { matchingPrecedence: 1000, priorityLevelConfiguration: { name: "mine" }, rules },
      })
      const alice = user("alice", everybody)
      assert.equal(flowOf(room, alice, "GET", "/version").schema.name, "global-default")
      await (env.clock as VirtualClock).advance(2000)
      const dangling = await client.get(flowSchema, { name: "mine" })
      assert.deepEqual(
        dangling.status?.conditions?.map(({ type, status, reason, message }) => [
          type,
          status,
          reason,
          message,
        ]),
        [
          [
            "Dangling",
            "True",
            "NotFound",
            'This FlowSchema references the PriorityLevelConfiguration object named "mine" but there is no such object',
          ],
        ],
      )
      await client.create(priorityLevelConfiguration, {
        metadata: { name: "mine" },
        spec: {
          type: "Limited",
          limited: { nominalConcurrencyShares: 1, limitResponse: { type: "Reject" } },
        },
      })
      assert.equal(flowOf(room, alice, "GET", "/version").schema.name, "mine")
      assert.equal(fairness.levels.get("mine")?.limits.nominal, 3)
      await (env.clock as VirtualClock).advance(2000)
      const found = await client.get(flowSchema, { name: "mine" })
      assert.equal(found.status?.conditions?.[0]?.status, "False")
    })
  })

  it("keeps the objects that every cluster has, and leaves those alone that somebody has made his own", async () => {
    await withTestPlane(async (plane) => {
      const client = plane.client()
      const { env } = plane.registry
      await using scope = new Scope("objects", { env })
      await keepFairnessObjects({ env, registry: plane.registry, client, scope })
      const auto = "apf.kubernetes.io/autoupdate-spec"
      const seats = async (name: string): Promise<number | undefined> =>
        (await client.get(priorityLevelConfiguration, { name })).spec?.limited?.nominalConcurrencyShares
      const change = (name: string, annotation: string): Promise<unknown> =>
        client.patch(priorityLevelConfiguration, { name }, "merge", {
          metadata: { annotations: { [auto]: annotation } },
          spec: { limited: { nominalConcurrencyShares: 7 } },
        })
      await change("workload-low", "false")
      await change("workload-high", "true")
      await client.delete(priorityLevelConfiguration, { name: "node-high" })
      await (env.clock as VirtualClock).advance(3000)
      assert.deepEqual(
        [await seats("workload-low"), await seats("workload-high"), await seats("node-high")],
        [7, 40, 40],
      )
    })
  })

  it("lets a flood wait for itself alone: another user's request is served in its turn", async () => {
    await withFairness(10, async (room) => {
      const { fairness, clock } = room
      const info = parseRequestInfo("GET", "/api/v1/namespaces/a/configmaps/b", new URLSearchParams())
      const served: string[] = []
      const ask = async (name: string): Promise<void> => {
        const flow = fairness.flowOf(user(name, everybody), info)
        let ticket: Ticket
        try {
          ticket = await fairness.enter(flow, info, asking, 15_000)
        } catch (thrown) {
          assert.ok(thrown instanceof NoSeat)
          return void served.push(`${name} refused`)
        }
        served.push(name)
        await clock.sleep(100, asking.signal)
        fairness.leave(flow, ticket)
      }
      const all = Array.from({ length: 400 }, () => ask("flood"))
      const mouse = ask("mouse")
      await clock.advance(60_000)
      await Promise.all([...all, mouse])
      const before = served.filter((who) => who !== "flood refused").indexOf("mouse")
      assert.ok(before >= 0 && before <= 10, `served after ${before} others`)
      const level = fairness.levels.get("global-default")!
      assert.equal(level.isIdle, true)
      assert.equal(level.rejected + level.dispatched + level.timedOut, 401)
      assert.ok(level.rejected > 0)
    })
  })

  it("gives up who waits too long, and who is gone", async () => {
    await withFairness(10, async (room) => {
      const { fairness, clock } = room
      const info = parseRequestInfo("GET", "/api/v1/namespaces/a/configmaps/b", new URLSearchParams())
      const flow = fairness.flowOf(user("alice", everybody), info)
      const { level } = flow.schema
      const first = fairness.enter(flow, info, asking, 1000) as Ticket
      while (level.seatsInUse < level.seats) void fairness.enter(flow, info, asking, 1000)
      const gone = new AbortController()
      const reasons: string[] = []
      const note = (thrown: unknown): void => void reasons.push((thrown as NoSeat).reason)
      const waits = [
        Promise.resolve(fairness.enter(flow, info, asking, 1000)).catch(note),
        Promise.resolve(fairness.enter(flow, info, { ...asking, signal: gone.signal }, 1000)).catch(note),
      ]
      gone.abort()
      await clock.advance(1001)
      await Promise.all(waits)
      assert.deepEqual(reasons, ["cancelled", "time-out"])
      assert.deepEqual([level.waiting, level.timedOut, level.cancelled], [0, 1, 1])
      fairness.leave(flow, first)
    })
  })

  it("makes no promise when a seat is free", async () => {
    await withFairness(600, async (room) => {
      const info = parseRequestInfo("GET", "/api/v1/pods", new URLSearchParams())
      const flow = room.fairness.flowOf(user("alice", everybody), info)
      const ticket = room.fairness.enter(flow, info, asking, 1000)
      assert.equal(ticket instanceof Promise, false)
      const [, ...rows] = dumpPriorityLevels(room.fairness).split("\n")
      const row = rows.find((line) => line.startsWith("global-default"))
      assert.match(row ?? "", /^global-default, +0, +false, +false, +0, +1, +1, +0, +0, +0$/)
      room.fairness.leave(flow, ticket as Ticket)
    })
  })

  it("lends what a level does not need to one that does", () => {
    const level = (shares: number) =>
      seatLimits({ shares, lendablePercent: 50, borrowingLimitPercent: undefined }, 2, 100)
    const claim = (highWatermark: number) => ({
      isExempt: false,
      limits: level(1),
      demand: { highWatermark, smoothed: highWatermark },
    })
    assert.deepEqual(allocate([claim(0), claim(200)], 100).seats, [25, 75])
    assert.deepEqual(allocate([claim(40), claim(40)], 100).seats, [50, 50])
    const exempt = { ...claim(60), isExempt: true, limits: { nominal: 0, min: 0, max: 100 } }
    assert.deepEqual(allocate([exempt, claim(40), claim(40)], 100).seats, [60, 25, 25])
  })

  it("counts the seats of a list by what it reads", () => {
    const cache = { size: 1000, bytes: 3_000_000 }
    const list = parseRequestInfo("GET", "/api/v1/pods", new URLSearchParams())
    const seats = (query: string, max = 100, info = list): number =>
      seatsOf(info, () => new URLSearchParams(query), cache, max)
    assert.deepEqual([seats(""), seats("limit=100"), seats("limit=1"), seats("", 4)], [10, 3, 1, 4])
    const watch = parseRequestInfo("GET", "/api/v1/pods", new URLSearchParams("watch=1"))
    assert.deepEqual([seats("watch=1", 100, watch), seats("watch=1&resourceVersion=5", 100, watch)], [10, 1])
    assert.equal(seats("", 100, parseRequestInfo("POST", "/api/v1/pods", new URLSearchParams())), 1)
  })

  it("deals hands of different queues", () => {
    for (let hash = 0n; hash < 1000n; hash += 7n) {
      const hand = deal(hash * 1_000_003n, 16, 6)
      assert.equal(new Set(hand).size, 6)
      assert.ok(hand.every((card) => card >= 0 && card < 16))
    }
  })

  it("sends away for longer the more there are", () => {
    const after = new RetryAfter()
    let now = 0
    for (let second = 0; second < 10; second++, now += 1000) for (let i = 0; i < 200; i++) after.refuse(now)
    assert.equal(after.refuse(now), 32)
    assert.equal(after.refuse(now + 60_000), 1)
  })

  it("prints tables as Go's tabwriter does", () => {
    assert.equal(
      tabbed([
        ["Name", "Index", "Last"],
        ["a-longer-name", "1", ""],
      ]),
      "Name,          Index,  Last\na-longer-name, 1,      \n",
    )
  })
})
