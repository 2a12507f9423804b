import assert from "node:assert/strict"
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { copyFile, mkdtemp, open, rm, stat, truncate, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { it } from "node:test"
import { fileURLToPath } from "node:url"
import { silentLogger, systemClock, systemRandom } from "@knarr/base"
import { DamagedStoreError } from "../store.ts"
import { StoreInUseError } from "./directory-lock.ts"
import { type EmbeddedStore, openEmbeddedStore } from "./embedded-store.ts"

const env = { clock: systemClock, random: systemRandom, log: silentLogger }
const openIn = (dir: string): Promise<EmbeddedStore> => openEmbeddedStore({ dir, env })
const fileIn = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

async function inTemporary(fn: (dir: string) => Promise<void>): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "knarr-store-"))
  try {
    await fn(dir)
  } finally {
    await rm(dir, { recursive: true })
  }
}

it("a store that is open cannot be opened again, by this process or another", () =>
  inTemporary(async (dir) => {
    const store = await openIn(dir)
    await assert.rejects(openIn(dir), (error) => {
      assert.ok(error instanceof StoreInUseError)
      assert.equal(error.pid, process.pid)
      assert.match(error.message, new RegExp(`process ${process.pid} has it open`))
      return true
    })
    const other = spawnSync(process.execPath, [fileIn("../crash-child.ts"), "embedded", dir, "1"], {
      input: "2 2\n",
      encoding: "utf8",
    })
    assert.match(other.stderr, new RegExp(`process ${process.pid} has it open`))
    await store.put("/a", Buffer.from("1"))
    await store[Symbol.asyncDispose]()
    await using again = await openIn(dir)
    assert.equal(again.revision, 2)
  }))

it("the lock ends with its process, however that ends", () =>
  inTemporary(async (dir) => {
    const child = spawn(process.execPath, [fileIn("../crash-child.ts"), "embedded", dir, "1"])
    child.stdin.write("2 2\n")
    await once(child.stdout, "data")
    await assert.rejects(openIn(dir), (error) => error instanceof StoreInUseError && error.pid === child.pid)
    child.kill("SIGKILL")
    await once(child, "exit")
    await using store = await openIn(dir)
    assert.ok(store.revision >= 1)
  }))

it("a damaged file is named, not served", () =>
  inTemporary(async (dir) => {
    const good = join(dir, "good")
    {
      await using store = await openIn(good)
      const writes = Array.from({ length: 400 }, (_, i) => store.put(`/k/${i}`, Buffer.alloc(3000, `${i} `)))
      await Promise.all(writes)
    }
    const file = join(good, "data.mdb")
    const { size } = await stat(file)
    const bad = join(dir, "bad")
    const flip = async (name: string, needle: string): Promise<void> => {
      await using handle = await open(name, "r+")
      const bytes = await handle.readFile()
      const at = bytes.indexOf(needle)
      assert.ok(at > 0)
      await handle.write(Buffer.from([bytes[at]! ^ 4]), 0, 1, at)
    }
    const damages: Record<string, (name: string) => Promise<void>> = {
      "not a store at all": (name) => writeFile(name, "this is no store"),
      "zeros over its beginning": async (name) => {
        await using handle = await open(name, "r+")
        await handle.write(Buffer.alloc(100_000), 0, 100_000, 0)
      },
      "half of it missing": (name) => truncate(name, size / 2),
      "a little of its end missing": (name) => truncate(name, size - 40_000),
      "one bit wrong in what was written last": (name) => flip(name, "399 399 399 399"),
    }
    const copy = join(bad, "data.mdb")
    for (const [damage, apply] of Object.entries(damages)) {
      {
        await using _made = await openIn(bad)
      }
      await copyFile(file, copy)
      await apply(copy)
      await assert.rejects(
        openIn(bad),
        (error) => {
          assert.ok(error instanceof DamagedStoreError, `${damage}: ${String(error)}`)
          assert.ok(error.message.includes(copy))
          return true
        },
        damage,
      )
      await rm(bad, { recursive: true })
    }
    {
      await using _made = await openIn(bad)
    }
    await copyFile(file, copy)
    await flip(copy, "17 17 17 17")
    await using store = await openIn(bad)
    await assert.rejects(store.get("/k/17"), DamagedStoreError)
    await assert.rejects(store.range({ prefix: "/k/" }), DamagedStoreError)
    assert.ok(await store.get("/k/18"))
  }))

const limits = spawnSync("prlimit", ["--version"]).status === 0

it("a full disk fails writes, not reads, and no longer than it is full", { skip: !limits }, () =>
  inTemporary(async (dir) => {
    const script = 'ulimit -S -f 2048 && exec "$0" "$@"'
    const child = spawnSync(
      "sh",
      ["-c", script, process.execPath, fileIn("full-disk-child.ts"), join(dir, "s")],
      {
        encoding: "utf8",
      },
    )
    assert.equal(child.status, 0, child.stderr)
    await using store = await openIn(join(dir, "s"))
    assert.ok(await store.get("/after"))
  }),
)
