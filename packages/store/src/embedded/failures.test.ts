import assert from "node:assert/strict"
import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { copyFile, mkdtemp, open, readFile, readdir, rm, truncate, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { it } from "node:test"
import { fileURLToPath } from "node:url"
import { systemEnv } from "@knarr/testkit"
import { DamagedStoreError, StoreGoneError } from "../store.ts"
import { StoreInUseError } from "./directory-lock.ts"
import { type EmbeddedStore, openEmbeddedStore } from "./embedded-store.ts"

const env = systemEnv()
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

/** Where the pages in use end: behind them the file holds zeros, the room for what comes. */
async function usedBytes(file: string): Promise<number> {
  const bytes = await readFile(file)
  let end = bytes.length
  while (bytes[end - 1] === 0) end--
  return end
}

it("a damaged file is named, not served", () =>
  inTemporary(async (dir) => {
    const good = join(dir, "good")
    {
      await using store = await openIn(good)
      const writes = Array.from({ length: 400 }, (_, i) => store.put(`/k/${i}`, Buffer.alloc(3000, `${i} `)))
      await Promise.all(writes)
    }
    const file = join(good, "data.mdb")
    const size = await usedBytes(file)
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
      "half of it missing": (name) => truncate(name, size >> 1),
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

it("a store that must be there is not made anew when its file, or all of it, is gone", () =>
  inTemporary(async (dir) => {
    const store = join(dir, "store")
    const open = (): Promise<EmbeddedStore> => openEmbeddedStore({ dir: store, env, mustExist: true })
    const file = join(store, "data.mdb")
    await assert.rejects(open(), StoreGoneError)
    assert.deepEqual(await readdir(dir), [])
    {
      await using made = await openIn(store)
      await made.put("/a", Buffer.from("1"))
    }
    {
      await using again = await open()
      assert.equal(again.revision, 2)
    }
    await truncate(file, 0)
    await assert.rejects(open(), StoreGoneError)
    await rm(file)
    await assert.rejects(open(), (error) => error instanceof StoreGoneError && error.message.includes(file))
    assert.ok(!(await readdir(store)).includes("data.mdb"))
  }))

const canLimit = spawnSync("prlimit", ["--version"]).status === 0

it("a full disk fails writes, not reads, and no longer than it is full", { skip: !canLimit }, () =>
  inTemporary(async (dir) => {
    const script = 'ulimit -S -f 65536 && exec "$0" "$@"'
    const args = [process.execPath, fileIn("full-disk-child.ts"), join(dir, "s"), "limit"]
    await checkSurvivor(join(dir, "s"), spawnSync("sh", ["-c", script, ...args], { encoding: "utf8" }))
  }),
)

for (const { title, size, args } of [
  {
    title: "another file that fills the disk costs nothing that was acknowledged",
    size: "96m",
    args: (dir: string) => [fileIn("full-disk-child.ts"), dir, "file"],
  },
  {
    title: "a disk that is filled while the file is made smaller costs nothing, and the copy is given up",
    size: "160m",
    args: (dir: string) => [fileIn("full-disk-copy-child.ts"), dir],
  },
]) {
  it(title, { skip: process.getuid?.() !== 0 && "mounting a tmpfs needs root" }, () =>
    inTemporary(async (dir) => {
      const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", dir])
      assert.equal(mounted.status, 0, String(mounted.stderr))
      try {
        const child = spawnSync(process.execPath, args(join(dir, "s")), { encoding: "utf8" })
        await checkSurvivor(join(dir, "s"), child)
      } finally {
        spawnSync("umount", [dir])
      }
    }),
  )
}

/** The child ended as it meant to, said nothing, and what it was told is safe is there. */
async function checkSurvivor(dir: string, child: SpawnSyncReturns<string>): Promise<void> {
  assert.equal(child.stderr, "")
  assert.equal(child.signal, "SIGKILL", child.stdout.slice(-500))
  const kept = new Set<string>()
  for (const line of child.stdout.split("\n").slice(0, -1)) {
    const [what, key] = [line.slice(0, line.indexOf(" ")), line.slice(line.indexOf(" ") + 1)]
    if (what === "put") kept.add(key)
    else kept.delete(key)
  }
  assert.ok(kept.size >= 5)
  await using store = await openIn(dir)
  const { kvs } = await store.range({ prefix: "" })
  assert.deepEqual(new Set(kvs.map(({ key }) => key)), kept)
  for (const { key, value } of kvs) assert.ok(value.equals(Buffer.alloc(value.length, key)), key)
}
