/** What the crash suite and its child process share: the engines that keep data, and the values written. */
import { Meter, seededRandom, silentLogger, systemClock, systemRandom } from "@knarr/base"
import { type EmbeddedStore, openEmbeddedStore } from "./embedded/embedded-store.ts"
import type { Store } from "./store.ts"

export interface CrashEngine {
  /** Opens what is in `dir`, in the child and then in its parent. */
  readonly open: (dir: string) => Promise<Store & { defragment?(): Promise<boolean> }>
  /** Whether the child makes its file smaller again and again, so that the kill meets each moment of that. */
  readonly defragments: boolean
}

const open = (dir: string): Promise<EmbeddedStore> => openEmbeddedStore({ dir, env })
const env = { clock: systemClock, random: systemRandom, log: silentLogger, meter: new Meter() }

export const crashEngines: Readonly<Record<string, CrashEngine>> = {
  embedded: { open, defragments: false },
  "embedded, defragmenting": { open, defragments: true },
}

/** The bytes of the write named `id`: its name, and up to 6 KB that follow from it. */
export function crashValue(id: string): Buffer {
  let seed = 0
  for (const char of id) seed = (Math.imul(seed, 31) + char.charCodeAt(0)) >>> 0
  const random = seededRandom(seed)
  const words = Math.floor(random.next() * 1500)
  const filler = Buffer.alloc(words * 4)
  let word = Math.floor(random.next() * 2 ** 32)
  for (let at = 0; at < filler.length; at += 4) {
    word = (Math.imul(word, 1664525) + 1013904223) >>> 0
    filler.writeUInt32LE(word, at)
  }
  return Buffer.concat([Buffer.from(`${id}\n`), filler])
}

/** The name of the write that made these bytes. */
export function crashValueId(value: Buffer): string {
  return value.toString("utf8", 0, value.indexOf(10))
}
