/** What our kubectl says of a rich object of every kind is what the published one says. */
import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { gunzipSync } from "node:zlib"
import { openStage, runOurs, textOf } from "./kubectl-stage.ts"

test("kubectl describes an object of every kind as the published one does", async () => {
  const recorded = JSON.parse(
    gunzipSync(readFileSync(join(import.meta.dirname, "kubectl.json.gz"))).toString(),
  ) as Record<string, string>
  const dir = mkdtempSync(join(tmpdir(), "knarr-kubectl-"))
  try {
    await using stage = await openStage(dir, () => {})
    for (const [command, text] of Object.entries(recorded))
      assert.equal(textOf(await runOurs(command.split(" "), stage)), text, command)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
