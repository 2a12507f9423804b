/** What the peer has said about what it takes. */
import {
  ConnectionError,
  defaultMaxFrameBytes,
  defaultWindowBytes,
  errorCodes,
  maxWindowBytes,
  settingIds,
} from "./protocol.ts"

export class PeerSettings {
  maxFrameBytes = defaultMaxFrameBytes
  initialWindowBytes = defaultWindowBytes

  /**
   * Reads the payload of a SETTINGS frame, and returns by how much the windows of open streams change. Throws a
   * {@link ConnectionError}. Nothing is kept of a table of the peer's, and nothing is promised to it: other settings say
   * nothing to a server like this.
   */
  read(payload: Buffer): number {
    if (payload.length % 6 !== 0)
      throw new ConnectionError(errorCodes.frameSizeError, "Settings of another length")
    const before = this.initialWindowBytes
    for (let at = 0; at < payload.length; at += 6)
      this.#take(payload.readUInt16BE(at), payload.readUInt32BE(at + 2))
    return this.initialWindowBytes - before
  }

  #take(id: number, value: number): void {
    if (id === settingIds.enablePush && value > 1)
      throw new ConnectionError(errorCodes.protocolError, "A setting that is neither on nor off")
    if (id === settingIds.initialWindowSize) {
      if (value > maxWindowBytes)
        throw new ConnectionError(errorCodes.flowControlError, "A window that is too large")
      this.initialWindowBytes = value
    }
    if (id !== settingIds.maxFrameSize) return
    if (value < defaultMaxFrameBytes || value > 2 ** 24 - 1)
      throw new ConnectionError(errorCodes.protocolError, "A frame size that is not allowed")
    // Larger frames would only make streams wait longer for each other.
    this.maxFrameBytes = Math.min(value, 65_536)
  }
}
