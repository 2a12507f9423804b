/** Structured logs: a constant message plus key-value pairs. `console` is a lint error everywhere else. */
import { messageOf } from "./errors.ts"
import type { Clock } from "./clock.ts"

export type LogFields = Readonly<Record<string, unknown>>

export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  /** `error` may be anything that was thrown; its message is logged as `err`, its stack at debug level. */
  error(message: string, error: unknown, fields?: LogFields): void
  /** A logger that adds `fields` to each line. */
  with(fields: LogFields): Logger
}

export type LogLevel = "debug" | "info" | "warn" | "error"
const rank: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 }

/** Writes one line per record to `write` (with its newline): `time LEVEL message key=value …`. */
export function createLogger(options: {
  clock: Clock
  level: LogLevel
  write: (line: string) => void
}): Logger {
  const { clock, write } = options
  const least = rank[options.level]
  const make = (bound: LogFields): Logger => {
    const emit = (level: LogLevel, message: string, fields?: LogFields): void => {
      if (rank[level] < least) return
      let line = `${new Date(clock.now()).toISOString()} ${level.toUpperCase().padEnd(5)} ${message}`
      for (const source of [bound, fields]) {
        for (const key in source) line += ` ${key}=${format(source[key])}`
      }
      write(line + "\n")
    }
    return {
      debug: (message, fields) => emit("debug", message, fields),
      info: (message, fields) => emit("info", message, fields),
      warn: (message, fields) => emit("warn", message, fields),
      error(message, error, fields) {
        emit("error", message, { ...fields, err: messageOf(error) })
        if (error instanceof Error && error.stack)
          emit("debug", "Stack of the error above", { stack: error.stack })
      },
      with: (fields) => make({ ...bound, ...fields }),
    }
  }
  return make({})
}

function format(value: unknown): string {
  if (typeof value === "string") return /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value)
  if (value instanceof Error) return JSON.stringify(value.message)
  return JSON.stringify(value) ?? String(value)
}

/** Discards everything. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  with: () => silentLogger,
}
