import assert from "node:assert/strict"
import { test } from "node:test"
import { TabWriter, describeTabs, tableTabs } from "./tab-writer.ts"

function render(options: typeof tableTabs, ...parts: string[]): string {
  let out = ""
  const writer = new TabWriter(options, (text) => (out += text))
  for (const part of parts) {
    writer.write(part)
    writer.flush()
  }
  return out
}

test("TabWriter aligns a column only over lines that have it", () => {
  assert.equal(render(describeTabs, "A:\tx\nlong line\nBBBB:\ty\n"), "A:  x\nlong line\nBBBB:  y\n")
})

test("TabWriter keeps widths over flushes when asked to", () => {
  assert.equal(render(tableTabs, "NAME-LONG\tB\n", "a\tb\n"), "NAME-LONG   B\na           b\n")
  assert.equal(render(describeTabs, "NAME-LONG\tB\n", "a\tb\n"), "NAME-LONG  B\na  b\n")
})
