/** The recorded vectors: what the reference answered, asked of Knarr. `npm run diff -- --vectors` renews them. */
import assert from "node:assert/strict"
import { after, before, describe, it } from "node:test"
import { Scope } from "@knarr/base"
import { compareAnswers } from "./compare.ts"
import { normaliseAnswer } from "./normalise.ts"
import { groups } from "./groups/index.ts"
import { describeFinding, Report } from "./report.ts"
import { normaliseAnswers, runScripts, type Target } from "./send.ts"
import { knarrTarget } from "./servers.ts"
import { isOfTheMoment, readVectors } from "./vectors.ts"

describe("Knarr's answers are the reference's", () => {
  const scope = new Scope("diff-test")
  let target: Target
  before(async () => {
    target = await knarrTarget(scope)
  })
  after(() => scope.close())

  const vectors = readVectors()
  for (const { name } of groups) {
    it(`in the recorded vectors of ${name}`, async () => {
      const report = new Report([])
      const expected = new Map(
        vectors.filter(({ script }) => script.group === name).map(({ script, answers }) => [script, answers]),
      )
      await runScripts(target, [...expected.keys()], (script, raw) => {
        const got = normaliseAnswers(script, raw)
        for (const step of script.steps) {
          const answer = expected.get(script)![step.name]
          if (!answer || isOfTheMoment(answer)) continue
          const { total, differences } = compareAnswers(answer, got[step.name]!)
          report.add(script, step, total, differences)
        }
      })
      assert.ok(report.sum.total > 20, `only ${report.sum.total} answers were compared`)
      assert.equal(report.findings.slice(0, 5).map(describeFinding).join("\n\n"), "")
    })
  }
})

describe("scripts", () => {
  it("are the same every time they are made, and a step's name is one of its kind in its script", () => {
    for (const group of groups) {
      const scripts = group.scripts()
      assert.deepEqual(group.scripts(), scripts)
      for (const { name, steps } of scripts) {
        const names = steps.filter((step) => !step.quiet).map((step) => step.name)
        assert.equal(new Set(names).size, names.length, `${group.name} ${name}`)
      }
    }
  })
})

describe("normaliseAnswer", () => {
  const answer = (body: unknown): unknown =>
    JSON.parse(
      normaliseAnswer({ status: 200, type: "application/json", warnings: [], body: JSON.stringify(body) })[
        ""
      ]!,
    ).body
  it("takes away identities, times, revisions and allocated numbers, and nothing else", () => {
    assert.deepEqual(
      answer({
        metadata: {
          uid: "2f1c0e5a-1111-4222-8333-444455556666",
          resourceVersion: "12",
          creationTimestamp: "2026-01-01T00:00:00Z",
          name: "x",
        },
        spec: {
          clusterIP: "10.96.3.4",
          ports: [{ port: 80, nodePort: 31000 }],
          since: "2020-01-01T00:00:00Z",
        },
      }),
      {
        metadata: { creationTimestamp: "TIME", name: "x", resourceVersion: "RV", uid: "UID" },
        spec: {
          clusterIP: "ADDRESS",
          ports: [{ nodePort: "PORT", port: 80 }],
          since: "2020-01-01T00:00:00Z",
        },
      },
    )
  })
  it("takes away the order of managed fields, which depends on the second", () => {
    const [a, b] = [
      { manager: "a", time: "2026-01-01T00:00:01Z" },
      { manager: "b", time: "2026-01-01T00:00:00Z" },
    ]
    assert.deepEqual(
      answer({ metadata: { managedFields: [b, a] } }),
      answer({ metadata: { managedFields: [a, b] } }),
    )
  })
  it("keeps an empty revision, a null and the order of a list", () => {
    const body = { a: [3, 1, null], metadata: { creationTimestamp: null, resourceVersion: "" } }
    assert.deepEqual(answer(body), body)
  })
})
