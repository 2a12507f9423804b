import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { parseYamlBody } from "./yaml-body.ts"

const user = { name: "a", groups: [] }
const never = { user, signal: new AbortController().signal }
const long = "- a: b\n".repeat(5_000)

describe("A long YAML body", () => {
  it("takes the processor of a thread of its own", async () => {
    const [all, own] = [process.cpuUsage(), process.threadCpuUsage()]
    const value = (await parseYamlBody(
      `${long}- __proto__: &x [yes]\n  constructor: *x\n`,
      never,
    )) as unknown[]
    const [allSpent, ownSpent] = [process.cpuUsage(all), process.threadCpuUsage(own)]
    assert.equal(value.length, 5_001)
    assert.equal(JSON.stringify(value.at(-1)), '{"__proto__":[true],"constructor":[true]}')
    assert.ok(ownSpent.user < allSpent.user / 2, `${ownSpent.user} of ${allSpent.user} microseconds`)
  })

  it("is one, too, when it is short and nests deep", async () => {
    const deep = [
      "[".repeat(5_000),
      `a: ${"{b: ".repeat(2_000)}`,
      `${" ".repeat(400)}a: b`,
      "- ".repeat(2_000),
    ]
    for (const text of deep) {
      const [all, own] = [process.cpuUsage(), process.threadCpuUsage()]
      await parseYamlBody(text, never).catch(() => {})
      const [allSpent, ownSpent] = [process.cpuUsage(all), process.threadCpuUsage(own)]
      assert.ok(ownSpent.user < allSpent.user / 2, `${ownSpent.user} of ${allSpent.user} microseconds`)
    }
  })

  it("is refused as a short one is", async () => {
    await assert.rejects(parseYamlBody(`${long}- a: b: c\n`, never), {
      message: "yaml: line 5001: mapping values are not allowed in this context",
    })
  })

  it("of one user is no other's to wait for", async () => {
    const others = new AbortController()
    const many = Promise.allSettled(
      Array.from({ length: 20 }, () => parseYamlBody(long, { user, signal: others.signal })),
    )
    const read = await parseYamlBody(long, { ...never, user: { name: "b", groups: [] } })
    assert.equal((read as unknown[]).length, 5_000)
    others.abort(new Error("gone"))
    assert.ok((await many).filter(({ status }) => status === "rejected").length >= 15)
  })

  it("is given up when nobody waits for it any more, and the next has its turn", async () => {
    const controller = new AbortController()
    const two = Promise.allSettled([1, 2].map(() => parseYamlBody(long, { user, signal: controller.signal })))
    controller.abort(new Error("gone"))
    const reasons = (await two).map((one) => (one.status === "rejected" ? String(one.reason) : "read"))
    assert.deepEqual(reasons, ["Error: gone", "Error: gone"])
    assert.equal(((await parseYamlBody(long, never)) as unknown[]).length, 5_000)
  })
})
