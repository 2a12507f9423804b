import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { UserInfo } from "../contract.ts"
import { InFlight } from "./in-flight.ts"
import { parseRequestInfo } from "./request-info.ts"
import { Shares } from "./shares.ts"

const user = (name: string, ...groups: string[]): UserInfo => ({ name, groups })
const account = (namespace: string, name: string): UserInfo =>
  user(
    `system:serviceaccount:${namespace}:${name}`,
    "system:serviceaccounts",
    `system:serviceaccounts:${namespace}`,
  )

function taken(shares: Shares, by: UserInfo, tries = 100): number {
  let count = 0
  while (count < tries && shares.take(by)) count++
  return count
}

describe("Shares", () => {
  it("leave something for others, and for the cluster itself, however much one user asks for", () => {
    const rows: [user: UserInfo, places: number][] = [
      [user("eve"), 20],
      [user("eve"), 0],
      [user("mallory"), 10],
      [user("trent"), 0],
      [user("system:anonymous", "system:unauthenticated"), 0],
      [user("system:node:n1", "system:nodes"), 4],
      [account("kube-system", "deployment-controller"), 3],
      [user("system:kube-scheduler"), 2],
      [user("admin", "system:masters"), 7],
    ]
    const shares = new Shares(40)
    for (const [who, places] of rows)
      assert.equal(
        taken(shares, who, places === 0 ? 1 : who.groups[0] === "system:nodes" ? 4 : places),
        places,
        who.name,
      )
    assert.equal(shares.used, 46)
  })

  it("count a namespace's service accounts as one", () => {
    const shares = new Shares(40)
    assert.equal(taken(shares, account("x", "a")), 20)
    assert.equal(taken(shares, account("x", "b")), 0)
    assert.equal(taken(shares, account("y", "a")), 10)
  })

  it("come back", () => {
    const shares = new Shares(2)
    for (let i = 0; i < 3; i++) {
      assert.equal(shares.take(user("eve")), true)
      assert.equal(shares.take(user("eve")), false)
      shares.give(user("eve"))
    }
    assert.equal(shares.used, 0)
  })
})

describe("InFlight", () => {
  it("counts bytes of bodies per user", () => {
    const inFlight = new InFlight({ maxBodyBytes: 100 })
    const body = inFlight.bodyOf(user("eve"))
    assert.equal(body.take(40), true)
    assert.equal(inFlight.bodyOf(user("eve")).take(20), false)
    assert.equal(inFlight.bodyOf(user("bob")).take(20), true)
    body.end()
    assert.equal(body.take(1), false)
    assert.equal(inFlight.bodyOf(user("eve")).take(50), true)
  })

  it("keeps reading and writing apart", () => {
    const inFlight = new InFlight({ maxReading: 2, maxMutating: 2 })
    const info = (method: string) =>
      parseRequestInfo(method, "/api/v1/namespaces/x/pods", new URLSearchParams())
    assert.ok(inFlight.enter(info("POST"), user("eve")))
    assert.equal(inFlight.enter(info("POST"), user("eve")), undefined)
    assert.ok(inFlight.enter(info("GET"), user("eve")))
    assert.deepEqual([inFlight.reading, inFlight.mutating, inFlight.refused], [1, 1, 1])
  })
})
