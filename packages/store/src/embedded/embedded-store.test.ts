import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setImmediate } from "node:timers/promises"
import { Meter, VirtualClock, seededRandom, silentLogger } from "@knarr/base"
import { storeConformance } from "../store.conformance.ts"
import { openEmbeddedStore } from "./embedded-store.ts"

for (const defragmenting of [false, true]) {
  const name = defragmenting ? "embedded store whose file is replaced all the time" : "embedded store"
  storeConformance(name, {
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
      let ended = !defragmenting
      const replacing = (async () => {
        // A store that is closed between two copies says so.
        while (!ended) await store.defragment().catch(() => setImmediate())
      })()
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
          ended = true
          await store[Symbol.asyncDispose]()
          await replacing
          await rm(dir, { recursive: true })
        },
      }
    },
  })
}
