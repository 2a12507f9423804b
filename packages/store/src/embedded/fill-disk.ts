/** For the tests of a full disk. */
import assert from "node:assert/strict"
import { closeSync, openSync, writeSync } from "node:fs"

/** Lengthens `file` until its file system has no room for another 4 KiB. */
export function fillDisk(file: string): void {
  const fd = openSync(file, "a")
  for (const chunk of [Buffer.alloc(2 ** 20, 1), Buffer.alloc(4096, 1)]) {
    try {
      for (;;) writeSync(fd, chunk)
    } catch (thrown) {
      assert.ok(thrown instanceof Error && "code" in thrown && thrown.code === "ENOSPC", String(thrown))
    }
  }
  closeSync(fd)
}
