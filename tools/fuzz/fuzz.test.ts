/** A little of every target, the same inputs in every run, and every input that once broke a contract. */
import assert from "node:assert/strict"
import { globSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { describe, it } from "node:test"
import { Scope, seededRandom } from "@knarr/base"
import { Draw } from "./draw.ts"
import { processorMs } from "./machine.ts"
import { runTarget, tryOne, type Found } from "./run.ts"
import { shrink } from "./shrink.ts"
import { defineTarget, expect } from "./target.ts"
import { targets } from "./targets/index.ts"

describe("Made-up inputs break no contract of", () => {
  for (const target of targets)
    it(target.name, async () => {
      const found: string[] = []
      const tried = await runTarget(target, {
        seed: 1,
        more: (count) => count < target.quick,
        onFound: ({ index, message, input }) =>
          found.push(`input ${index}: ${message}\n${JSON.stringify({ target: target.name, input })}`),
      })
      assert.equal(tried, target.quick)
      assert.equal(found.join("\n\n"), "")
    })
})

describe("What once broke a contract does not any more:", () => {
  for (const file of globSync(join(import.meta.dirname, "corpus/*.json")).sort())
    it(basename(file), async () => {
      const { target: name, inputs } = JSON.parse(readFileSync(file, "utf8")) as {
        target: string
        inputs: Found["input"][]
      }
      const target = targets.find((one) => one.name === name)
      assert.ok(target, `there is no target ${name}`)
      assert.ok(inputs.length > 0)
      for (const input of inputs) assert.equal(await tryOne(target, input), undefined, JSON.stringify(input))
    })
})

describe("The fuzzer", () => {
  let leaked: Scope | undefined
  const broken = defineTarget<{ text: string; list: number[] }>({
    name: "broken",
    quick: 0,
    open: ({ scope, env }) => ({
      generate: (draw) => ({ text: draw.text(), list: draw.list(9, () => draw.int(50)) }),
      check({ text, list }) {
        if (text.includes("log")) env.log.error("Something failed", new Error("x"))
        if (text.includes("leak")) leaked = new Scope("leaked")
        if (text.includes("task"))
          scope.run("task", () => Promise.reject(new Error("y")), { contained: true })
        if (text.includes("slow")) for (const end = processorMs() + 600; processorMs() < end;);
        expect(!list.includes(7), "there is a seven", text)
      },
    }),
  })

  it("finds what a check refuses, and makes it as small as it can be", async () => {
    const found: Found[] = []
    await runTarget(broken, { seed: 3, more: (count) => count < 200, onFound: (one) => found.push(one) })
    assert.deepEqual(
      found.map(({ message, input }) => [message, input]),
      [['there is a seven ""', { text: "", list: [7] }]],
    )
  })

  it("finds what is logged, what fails beside, what is left behind and what is slow", async () => {
    const cases = {
      log: /^logged: Something failed/,
      task: /A task failed/,
      leak: /leaves the scope leaked/,
      slow: /takes \d+ ms/,
    }
    for (const [text, expected] of Object.entries(cases))
      assert.match((await tryOne(broken, { text, list: [] })) ?? "", expected)
    assert.equal(await tryOne(broken, { text: "", list: [] }), undefined)
    await leaked?.close()
  })

  it("draws the same inputs from the same seed", () => {
    const one = (): unknown => {
      const draw = new Draw(seededRandom(5))
      return [draw.json(6), draw.mutate("abc"), draw.mutateJson({ a: [1] }), draw.bytes(20)]
    }
    assert.deepEqual(one(), one())
  })

  it("shrinks no further than what it looks for", async () => {
    const text = await shrink(
      `xx${"y".repeat(50)}needlezz`,
      async (one) => String(one).includes("needle"),
      500,
    )
    assert.equal(text, "needle")
  })
})
