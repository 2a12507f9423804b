/** Ends a connection when what was written to it is sent. As `net.Socket` can, for every kind of stream. */
import type { Duplex } from "node:stream"

/** The other half is not waited for: a peer that never closes its own holds nothing. */
export function destroySoon(stream: Duplex): void {
  if (stream.writableFinished) return void stream.destroy()
  stream.once("finish", () => stream.destroy())
  if (!stream.writableEnded) stream.end()
}
