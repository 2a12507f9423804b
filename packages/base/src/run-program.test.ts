import assert from "node:assert/strict"
import { test } from "node:test"
import { runProgram } from "./run-program.ts"

const never = new AbortController().signal

test("a program gets its input and ends with what it said", async () => {
  const script = "cat; echo bad >&2; exit 3"
  assert.deepEqual(await runProgram("sh", ["-c", script], { signal: never, input: "in\n" }), {
    code: 3,
    killedBy: null,
    out: "in\n",
    err: "bad\n",
  })
})

test("its lines can be had one by one", async () => {
  const lines: string[] = []
  const { out } = await runProgram("sh", ["-c", "printf 'a\\nb\\n'"], {
    signal: never,
    onLine: (line) => void lines.push(line),
  })
  assert.deepEqual([lines, out], [["a", "b"], ""])
})

test("a program that is not there, and one that is stopped, reject", async () => {
  await assert.rejects(
    runProgram("/no/such/program", [], { signal: never }),
    /^Error: Cannot run "\/no\/such\/program": /,
  )
  const stop = new AbortController()
  const stopped = runProgram("sleep", ["100"], { signal: stop.signal })
  stop.abort(new Error("enough"))
  await assert.rejects(stopped, { message: "enough" })
  await assert.rejects(runProgram("true", [], { signal: stop.signal }), { message: "enough" })
})

test("a signal that ends a program is told", async () => {
  const { code, killedBy } = await runProgram("sh", ["-c", "kill -9 $$"], { signal: never })
  assert.deepEqual([code, killedBy], [null, "SIGKILL"])
})
