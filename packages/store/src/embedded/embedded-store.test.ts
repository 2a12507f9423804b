import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { VirtualClock, seededRandom, silentLogger, Meter } from "@knarr/base"
import { storeConformance } from "../store.conformance.ts"
import { openEmbeddedStore } from "./embedded-store.ts"

storeConformance("embedded store", {
  async open({ watchBuffer }) {
    const dir = await mkdtemp(join(tmpdir(), "knarr-store-"))
    const clock = new VirtualClock()
    const options = {
      dir,
      env: { clock, random: seededRandom(1), log: silentLogger, meter: new Meter() },
      watchBuffer,
    }
    const first = await openEmbeddedStore(options)
    let store = first
    return {
      store: first,
      advance: (ms) => clock.advance(ms),
      async reopen(awayMs = 0) {
        await store[Symbol.asyncDispose]()
        await clock.advance(awayMs)
        store = await openEmbeddedStore(options)
        return store
      },
      async [Symbol.asyncDispose]() {
        await store[Symbol.asyncDispose]()
        await rm(dir, { recursive: true })
      },
    }
  },
})
