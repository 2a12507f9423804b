import assert from "node:assert/strict"
import { describe, test } from "node:test"
import { configMap, type ConfigMap } from "@knarr/api"
import { deferred, Scope } from "@knarr/base"
import { virtualEnv } from "@knarr/testkit"
import { runReflector, type ReflectorOptions, type ReflectorTarget } from "./reflector.ts"
import { createRestClient } from "./rest-client.ts"
import { ScriptedNetwork, type Answer } from "./scripted-network.ts"

interface Case {
  readonly answers: readonly Answer[]
  readonly asked: readonly string[]
  /** What the target was told. */
  readonly told: readonly string[]
  /** How long it takes in virtual time at the least and at the most, in milliseconds. */
  readonly takes?: readonly [least: number, most: number]
  readonly streams?: boolean
}

const cases: Record<string, Case> = {
  "lists what is at hand, then watches from there": {
    answers: [{ list: ["a@1", "b@2"], version: "5" }, { watch: ["+c@6", "~a@7", "-b@8"] }],
    asked: ["list 0", "watch 5", "watch 8"],
    told: ["= a b", "c@6", "a@7", "-b@8"],
    takes: [10, 10],
  },
  "goes on after an orderly end from the last event": {
    answers: [{ list: [], version: "5" }, { watch: ["+a@6"] }, { watch: ["~a@7"] }, { watch: ["~a@8"] }],
    asked: ["list 0", "watch 5", "watch 6", "watch 7", "watch 8"],
    told: ["=", "a@6", "a@7", "a@8"],
    takes: [30, 30],
  },
  "goes on from a bookmark": {
    answers: [{ list: [], version: "5" }, { watch: ["=@90"] }],
    asked: ["list 0", "watch 5", "watch 90"],
    told: ["="],
  },
  "goes on after a lost connection, with a pause": {
    answers: [{ list: [], version: "5" }, { watch: ["+a@6"], end: "lost" }, { watch: ["~a@7"] }],
    asked: ["list 0", "watch 5", "watch 6", "watch 7"],
    told: ["=", "a@6", "failed", "a@7"],
    takes: [800, 1610],
  },
  "reads again, no older than what was seen, when the watch is too old": {
    answers: [
      { list: ["a@1", "b@1"], version: "5" },
      { watch: ["+c@6", "410"] },
      { list: ["c@6"], version: "9" },
      { watch: ["+d@10"] },
    ],
    asked: ["list 0", "watch 5", "list 6", "watch 9", "watch 10"],
    told: ["= a b", "c@6", "= c", "d@10"],
    takes: [20, 20],
  },
  "reads again when the watch is refused as too old": {
    answers: [
      { list: [], version: "5" },
      { status: 410, reason: "Gone" },
      { list: [], version: "9" },
    ],
    asked: ["list 0", "watch 5", "list 5", "watch 9"],
    told: ["=", "="],
    takes: [10, 10],
  },
  "reads the newest when the server has not seen what was seen": {
    answers: [
      { list: [], version: "50" },
      { status: 410, reason: "Expired" },
      { status: 504, reason: "Timeout", cause: "ResourceVersionTooLarge" },
      { list: ["a@3"], version: "4" },
    ],
    asked: ["list 0", "watch 50", "list 50", "list", "watch 4"],
    told: ["=", "= a"],
    takes: [10, 10],
  },
  "reads the newest in pieces": {
    answers: [
      { status: 410, reason: "Expired" },
      { list: ["a@1"], version: "5", next: "x" },
      { list: ["b@2"], version: "5", next: "y" },
      { list: ["c@3"], version: "5" },
    ],
    asked: ["list 0", "list", "list x", "list y", "watch 5"],
    told: ["= a b c"],
  },
  "reads all at once when the pieces expire": {
    answers: [
      { status: 410, reason: "Expired" },
      { list: ["a@1"], version: "5", next: "x" },
      { status: 410, reason: "Expired" },
      { list: ["a@1", "b@6"], version: "6" },
    ],
    asked: ["list 0", "list", "list x", "list", "watch 6"],
    told: ["= a b"],
  },
  "waits twice as long after each failure": {
    answers: Array.from({ length: 4 }, () => ({ status: 500, reason: "InternalError" })),
    asked: ["list 0", "list 0", "list 0", "list 0", "list 0"],
    told: ["failed", "failed", "failed", "failed"],
    takes: [800 * 15, 1600 * 15],
  },
  "takes a watch that ends at once and empty for a failure": {
    answers: [{ list: [], version: "5" }, { watch: [] }, { watch: [] }],
    asked: ["list 0", "watch 5", "watch 5", "watch 5"],
    told: ["=", "failed", "failed"],
    takes: [2400, 4800],
  },
  "begins its pauses anew once something came": {
    answers: [
      { list: [], version: "5" },
      { watch: [], end: "lost" },
      { watch: [], end: "lost" },
      { watch: ["+a@6"], end: "lost" },
    ],
    asked: ["list 0", "watch 5", "watch 5", "watch 5", "watch 6"],
    told: ["=", "failed", "failed", "a@6", "failed"],
    takes: [3200, 6400],
  },
  "takes the first objects from the watch, and tells of them when all are there": {
    streams: true,
    answers: [{ watch: ["+a@1", "+b@2", "-a@3", "+c@4", "!@4", "~b@5"] }],
    asked: ["watch true", "watch 5"],
    told: ["= b c", "b@5"],
  },
  "begins anew when the watch breaks before all are there": {
    streams: true,
    answers: [{ watch: ["+a@1"], end: "lost" }, { watch: ["+b@2", "!@2"] }],
    asked: ["watch true", "watch true", "watch 2"],
    told: ["failed", "= b"],
    takes: [800, 1610],
  },
  "streams again, no older than what was seen, when the watch is too old": {
    streams: true,
    answers: [{ watch: ["!@4", "410"] }, { watch: ["410"] }, { watch: ["+a@9", "!@9"] }],
    asked: ["watch true", "watch 4 true", "watch true", "watch 9"],
    told: ["=", "= a"],
    takes: [20, 20],
  },
  "lists when the server knows no streaming": {
    streams: true,
    answers: [
      { status: 422, reason: "Invalid" },
      { list: ["a@1"], version: "5" },
      { watch: ["410"] },
      { list: [], version: "9" },
    ],
    asked: ["watch true", "list 0", "watch 5", "list 5", "watch 9"],
    told: ["= a", "="],
  },
}

async function run(
  answers: readonly Answer[],
  more: Partial<ReflectorOptions<ConfigMap>>,
  told: string[],
  target: Partial<ReflectorTarget<ConfigMap>> = {},
) {
  const env = virtualEnv()
  const { clock } = env
  const network = new ScriptedNetwork(answers)
  const client = createRestClient({ transport: network, env })
  const scope = new Scope("test", { env })
  const name = ({ metadata }: ConfigMap): string => `${metadata.name}@${metadata.resourceVersion}`
  const ended = deferred()
  scope.run("reflector", async (signal) => {
    await runReflector(
      {
        client,
        kind: configMap,
        env,
        target: {
          replace: (items) => told.push(["=", ...items.map(({ metadata }) => metadata.name)].join(" ")),
          changed: (obj) => told.push(name(obj)),
          deleted: (obj) => told.push(`-${name(obj)}`),
          failed: () => told.push("failed"),
          ...target,
        },
        ...more,
      },
      signal,
    )
    ended.resolve()
  })
  return { clock, network, scope, ended: ended.promise }
}

describe("the reflector", () => {
  for (const [what, { answers, asked, told: expected, takes, streams }] of Object.entries(cases))
    test(what, async () => {
      const told: string[] = []
      const { clock, network, scope } = await run(answers, { streamsInitial: streams }, told)
      let drained = false
      void network.drained.then(() => (drained = true))
      await clock.runUntil(() => drained, { what: "the script to end", limitMs: 120_000 })
      assert.deepEqual(network.asked, asked)
      assert.deepEqual(told, expected)
      const [least, most] = takes ?? [0, Infinity]
      const tookMs = clock.monotonic()
      assert.ok(tookMs >= least && tookMs <= most, `it took ${tookMs} ms`)
      await scope.close()
    })

  test("ends with its signal, whatever it waits for, and tells nothing more", async () => {
    const waits: Record<string, readonly Answer[]> = {
      "for a list": [],
      "for events": [{ list: [], version: "5" }],
      "for the next try": [{ status: 500, reason: "InternalError" }],
    }
    for (const [what, answers] of Object.entries(waits)) {
      const told: string[] = []
      const { network, scope, ended } = await run(answers, {}, told)
      for (let i = 0; i < 50; i++) await Promise.resolve()
      const before = [...told]
      await scope.close()
      await ended
      assert.deepEqual(told, before, what)
      assert.equal(network.asked.length, answers.length + (what === "for the next try" ? 0 : 1), what)
    }
  })

  test("ends by itself when its target has what it wants", async () => {
    const told: string[] = []
    const answers: Answer[] = [
      { list: ["a@1"], version: "5" },
      { watch: ["~a@6", "~a@7"], end: "never" },
    ]
    const { network, scope, ended } = await run(answers, {}, told, { isDone: () => told.includes("a@6") })
    await ended
    await scope.close()
    assert.deepEqual(told, ["= a", "a@6"])
    assert.deepEqual(network.asked, ["list 0", "watch 5"])
  })
})
