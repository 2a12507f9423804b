import assert from "node:assert/strict"
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { after, test } from "node:test"
import { readContainerLog, type ContainerLogOptions } from "./container-logs.ts"
import { HttpError } from "./http-error.ts"
import { parseLogQuery } from "./log-query.ts"

const dir = mkdtempSync("/tmp/knarr-logs-")
after(() => rmSync(dir, { recursive: true }))
const path = join(dir, "0.log")
const signal = AbortSignal.timeout(20_000)
const ended = AbortSignal.abort()

async function read(options: ContainerLogOptions): Promise<string> {
  let text = ""
  for await (const chunk of readContainerLog({ path, ended }, options, signal)) text += chunk.toString()
  return text
}

const lines = [
  "2026-01-01T00:00:00.000000001Z stdout F one",
  "2026-01-01T00:00:01.000000001Z stderr F two",
  "2026-01-01T00:00:02.000000001Z stdout P thr",
  "2026-01-01T00:00:02.500000001Z stdout F ee",
  "2026-01-01T00:00:03.000000001+00:00 stdout F four four",
  "2026-01-01T00:00:04Z stdout F ",
]

test("A log is read whole, from its end, from a time, by stream, with times and up to a length", async () => {
  writeFileSync(path, lines.join("\n") + "\n")
  const cases: [ContainerLogOptions, string][] = [
    [{}, "one\ntwo\nthree\nfour four\n\n"],
    [{ tailLines: 0 }, ""],
    [{ tailLines: 2 }, "four four\n\n"],
    [{ tailLines: 100 }, "one\ntwo\nthree\nfour four\n\n"],
    [{ sinceMs: Date.UTC(2026, 0, 1, 0, 0, 3) }, "four four\n\n"],
    [{ stream: "stderr" }, "two\n"],
    [{ limitBytes: 6 }, "one\ntw"],
    [
      { timestamps: true, sinceMs: Date.UTC(2026, 0, 1, 0, 0, 2) },
      "2026-01-01T00:00:02.000000001Z three\n2026-01-01T00:00:03.000000001+00:00 four four\n2026-01-01T00:00:04Z \n",
    ],
  ]
  for (const [options, text] of cases) assert.equal(await read(options), text, JSON.stringify(options))
})

test("Long lines, broken lines and a missing end of line do no harm", async () => {
  const long = "x".repeat(200_000)
  writeFileSync(
    path,
    `garbage\n${lines[0]}\n2026-01-01T00:00:05Z stdout F ${long}\n2026-01-01T00:00:06Z stdout F end`,
  )
  assert.equal(await read({}), `one\n${long}\nend\n`)
  assert.equal(await read({ tailLines: 2 }), `${long}\nend\n`)
})

test("Following goes on through a rotation until the container ends", async () => {
  writeFileSync(path, `${lines[0]}\n`)
  const container = new AbortController()
  const chunks = readContainerLog({ path, ended: container.signal }, { follow: true }, signal)
  const next = async (): Promise<string> => String((await chunks.next()).value)
  assert.equal(await next(), "one\n")
  const second = next()
  appendFileSync(path, `${lines[1]}\n`)
  assert.equal(await second, "two\n")
  const third = next()
  renameSync(path, `${path}.1`)
  appendFileSync(`${path}.1`, "2026-01-01T00:00:02Z stdout F late\n")
  writeFileSync(path, "2026-01-01T00:00:03Z stdout F new\n")
  let text = await third
  if (text === "late\n") text += await next()
  assert.equal(text, "late\nnew\n")
  const last = next()
  appendFileSync(path, "2026-01-01T00:00:04Z stdout F last\n")
  container.abort()
  assert.equal(await last, "last\n")
  assert.equal((await chunks.next()).done, true)
})

test("A follower that goes away is let go", async () => {
  writeFileSync(path, "")
  const reader = new AbortController()
  const chunks = readContainerLog(
    { path, ended: new AbortController().signal },
    { follow: true },
    reader.signal,
  )
  const next = assert.rejects(chunks.next(), /gone/)
  reader.abort(new Error("gone"))
  await next
})

test("Log queries are read as the API reads them", () => {
  const parse = (text: string) => parseLogQuery(new URLSearchParams(text), 1_000_000)
  assert.deepEqual(parse("follow=true&tailLines=5&timestamps=1&previous=false&sinceSeconds=10"), {
    follow: true,
    previous: false,
    timestamps: true,
    tailLines: 5,
    limitBytes: undefined,
    sinceMs: 990_000,
    stream: undefined,
  })
  assert.equal(parse("sinceTime=2026-01-01T00:00:00Z").sinceMs, Date.UTC(2026, 0, 1))
  for (const [query, status] of [
    ["tailLines=x", 400],
    ["tailLines=-1", 422],
    ["limitBytes=0", 422],
    ["sinceSeconds=0", 422],
    ["sinceTime=yesterday", 400],
    ["stream=Other", 422],
  ] as const) {
    assert.throws(
      () => parse(query),
      (thrown) => thrown instanceof HttpError && thrown.status === status,
      query,
    )
  }
})
