import assert from "node:assert/strict"
import { setImmediate } from "node:timers/promises"
import { describe, it } from "node:test"
import type { UserInfo } from "../../contract.ts"
import { UserTurns } from "./user-turns.ts"

const account = (namespace: string, name: string): string => `system:serviceaccount:${namespace}:${name}`
const userOf = (name: string): UserInfo => ({ name, groups: [] })

describe("Turns of users", () => {
  const cases: { what: string; asked: string[]; gone?: number[]; served: string[] }[] = [
    {
      what: "come in the order in which users asked",
      asked: ["a", "b", "c", "d"],
      served: ["a b", "b c", "c d", "d"],
    },
    {
      what: "are one at a time for each of them",
      asked: ["a", "a", "a"],
      served: ["a", "a", "a"],
    },
    {
      what: "go round, whoever asks often",
      asked: ["a", "a", "a", "a", "b", "b", "c"],
      served: ["a b", "b c", "c a", "a b", "b a", "a", "a"],
    },
    {
      what: "are shared by the service accounts of a namespace",
      asked: [account("n", "one"), account("n", "two"), account("m", "one")],
      served: [
        `${account("n", "one")} ${account("m", "one")}`,
        `${account("m", "one")} ${account("n", "two")}`,
        account("n", "two"),
      ],
    },
    {
      what: "are not for who has gone meanwhile",
      asked: ["a", "a", "b", "c", "c", "d"],
      gone: [1, 3, 4],
      served: ["a b", "b d", "d"],
    },
  ]
  for (const { what, asked, gone = [], served } of cases)
    it(what, async () => {
      const turns = new UserTurns(2)
      const held: { name: string; turn: Disposable }[] = []
      const controllers = asked.map((name) => {
        const controller = new AbortController()
        turns.acquire(userOf(name), controller.signal).then(
          (turn) => held.push({ name, turn }),
          (reason: unknown) => assert.equal(reason, controller.signal.reason),
        )
        return controller
      })
      await setImmediate()
      for (const at of gone) controllers[at]!.abort()
      await setImmediate()
      const seen: string[] = []
      while (held.length > 0) {
        seen.push(held.map(({ name }) => name).join(" "))
        held.shift()!.turn[Symbol.dispose]()
        await setImmediate()
      }
      assert.deepEqual(seen, served)
    })

  it("that were given to who has just gone are the next one's", async () => {
    const turns = new UserTurns(1)
    const never = new AbortController().signal
    const first = await turns.acquire(userOf("a"), never)
    const controller = new AbortController()
    const second = turns.acquire(userOf("b"), controller.signal)
    const third = turns.acquire(userOf("c"), never)
    first[Symbol.dispose]()
    controller.abort(new Error("gone"))
    await Promise.allSettled([second])
    const turn = await second.catch(() => undefined)
    turn?.[Symbol.dispose]()
    await third
  })
})
