/** Scenarios on virtual time: the examples, what the report of a broken one says, and files that are wrong. */
import assert from "node:assert/strict"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { loadScenario, runScenario } from "knarr/testing"

const examples = join(import.meta.dirname, "../../examples/simulate")

for (const name of ["node-loss", "memory", "nightly"])
  test(`The example ${name}.yaml ends as it expects`, async () => {
    const report = await runScenario(await loadScenario(join(examples, `${name}.yaml`)))
    assert.deepEqual(report.failures, [])
    assert.deepEqual(
      report.results.filter(({ kept }) => !kept),
      [],
    )
    assert.ok(report.results.length >= 3)
  })

function inFile<T>(text: string, use: (file: string) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), "knarr-simulate-"))
  const file = join(dir, "s.yaml")
  writeFileSync(file, text)
  return use(file).finally(() => rmSync(dir, { recursive: true }))
}

const pod = `{ apiVersion: v1, kind: Pod, metadata: { name: p }, spec: { containers: [{ name: c, image: i }] } }`

test("What does not come about, and what the API refuses, is in the report; a seed gives the same story again", async () => {
  const text = `
duration: 1m
manifests: [${pod}]
events:
  - { at: 10s, scale: { kind: Deployment, name: none, replicas: 2 } }
  - { at: 20s, loseNode: nowhere }
  - { at: 30s, apply: { apiVersion: v1, kind: Pod, metadata: { name: bad } } }
expect:
  - { by: 10s, kind: Pod, name: p, path: "{.status.phase}", equals: Running }
  - { by: 40s, kind: Pod, name: p, path: "{.status.phase}", equals: Failed }
  - { at: 40s, kind: Pod, name: q, condition: Ready }
  - { at: 1m, kind: Pod, count: { atMost: 0 } }
`
  const tell = async (): Promise<readonly string[]> => {
    const lines: string[] = []
    const scenario = await inFile(text, loadScenario)
    const report = await runScenario(scenario, { print: (line) => lines.push(line), verbose: true })
    assert.deepEqual(
      report.results.map(({ kept, instead }) => (kept ? "kept" : instead)),
      ["kept", 'it is "Running"', "it is not there", "there are 1"],
    )
    assert.deepEqual(report.failures.slice(0, 2), [
      "scale Deployment default/none to 2: there is no Deployment default/none",
      'node nowhere is lost: there is no node "nowhere"',
    ])
    assert.match(
      report.failures[2]!,
      /^apply Pod default\/bad: Pod "bad" is invalid: spec.containers: Required value/,
    )
    assert.equal(report.podsMade, 1)
    return lines
  }
  const lines = await tell()
  assert.ok(
    lines.some((line) => /^0s +Pod default\/p: Scheduled: /.test(line)),
    lines.join("\n"),
  )
  assert.deepEqual(await tell(), lines)
})

const bad: readonly (readonly [string, RegExp])[] = [
  ["", /s\.yaml: it is empty$/],
  ["duration: [", /s\.yaml: yaml: /],
  ["duration: 1m\n---\nduration: 1m", /it must be one document$/],
  ["- 1", /s\.yaml: must be a map of fields$/],
  ["seed: 1", /s\.yaml: needs the field "duration"$/],
  ["duration: soon", /duration: time: invalid duration "soon"$/],
  ["duration: 1m\nevent: []", /unknown field "event"; there are apiVersion, /],
  ["duration: 1m\nnodes: -1", /nodes: must be a whole number from 0 to 1000$/],
  ["duration: 1m\nnodes: [{ name: a }, { name: a }]", /nodes: two nodes are called "a"$/],
  ["duration: 1m\nnodes: [{ name: a, cpus: much }]", /nodes\[0\]\.cpus: quantities must match/],
  ["duration: 1m\nmanifests: [{ kind: Pod }]", /manifests\[0\]: needs the field "apiVersion"$/],
  ["duration: 1m\nmanifests: [none.yaml]", /none\.yaml: cannot be read: ENOENT/],
  ["duration: 1m\nevents: [{ at: 2m, loseNode: a }]", /events\[0\]\.at: "2m" is past 60 s, the end$/],
  ["duration: 1m\nevents: [{ at: 1s }]", /events\[0\]: needs exactly one of loseNode, returnNode, /],
  ["duration: 1m\nevents: [{ at: 1s, load: { kind: Pod, name: p } }]", /load: needs cpu or memory$/],
  ["duration: 1m\nexpect: [{ kind: Pod, count: 1 }]", /expect\[0\]: needs either at \(a moment\) or by/],
  [
    "duration: 1m\nexpect: [{ at: 1s, kind: Pod, condition: Ready }]",
    /condition needs the name of an object$/,
  ],
  ["duration: 1m\nexpect: [{ at: 1s, kind: Pod, name: p, path: '{', equals: 1 }]", /expect\[0\]\.path: /],
]

for (const [text, message] of bad)
  test(`A scenario ${JSON.stringify(text)} is refused with its place`, async () => {
    await assert.rejects(inFile(text, loadScenario), message)
  })
