/** Numbers of HTTP/2, and what is wrong with a peer. Mirrors: RFC 9113 */

export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const flags = { ack: 0x1, endStream: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const

export const errorCodes = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  enhanceYourCalm: 11,
} as const

export const settingIds = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
} as const

export const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1")
export const frameHeaderBytes = 9
/** The largest frame that a peer may send unless it is told otherwise, and the smallest bound it may set. */
export const defaultMaxFrameBytes = 16_384
export const defaultWindowBytes = 65_535
export const maxWindowBytes = 2 ** 31 - 1

/** The peer broke the protocol: the connection ends with `code`. */
export class ConnectionError extends Error {
  override readonly name = "ConnectionError"
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

/** One stream is at fault: it is reset with `code`, and the connection goes on. */
export class StreamError extends Error {
  override readonly name = "StreamError"
  readonly streamId: number
  readonly code: number

  constructor(streamId: number, code: number, message: string) {
    super(message)
    this.streamId = streamId
    this.code = code
  }
}

export function protocolError(message: string): ConnectionError {
  return new ConnectionError(errorCodes.protocolError, message)
}

export function frameSizeError(): ConnectionError {
  return new ConnectionError(errorCodes.frameSizeError, "A frame of another length")
}

/** A frame whose payload is short, written in one piece. */
export function smallFrame(type: number, flag: number, streamId: number, payload: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(frameHeaderBytes + payload.length)
  writeFrameHeader(frame, 0, payload.length, type, flag, streamId)
  payload.copy(frame, frameHeaderBytes)
  return frame
}

/** A frame whose payload is one number of 32 bits. */
export function numberFrame(type: number, streamId: number, value: number): Buffer {
  const frame = Buffer.allocUnsafe(frameHeaderBytes + 4)
  writeFrameHeader(frame, 0, 4, type, 0, streamId)
  frame.writeUInt32BE(value, frameHeaderBytes)
  return frame
}

export function writeFrameHeader(
  target: Buffer,
  at: number,
  length: number,
  type: number,
  flag: number,
  streamId: number,
): void {
  target[at] = length >>> 16
  target[at + 1] = length >>> 8
  target[at + 2] = length
  target[at + 3] = type
  target[at + 4] = flag
  target[at + 5] = streamId >>> 24
  target[at + 6] = streamId >>> 16
  target[at + 7] = streamId >>> 8
  target[at + 8] = streamId
}

/** A SETTINGS frame. */
export function settingsFrame(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.allocUnsafe(settings.length * 6)
  settings.forEach(([id, value], i) => {
    payload.writeUInt16BE(id, i * 6)
    payload.writeUInt32BE(value, i * 6 + 2)
  })
  return smallFrame(frameTypes.settings, 0, 0, payload)
}

/** A GOAWAY frame: streams up to `lastStreamId` are or will be answered. */
export function goawayFrame(lastStreamId: number, code: number, text: string): Buffer {
  const payload = Buffer.alloc(8 + text.length)
  payload.writeUInt32BE(lastStreamId, 0)
  payload.writeUInt32BE(code, 4)
  payload.write(text, 8, "latin1")
  return smallFrame(frameTypes.goaway, 0, 0, payload)
}
