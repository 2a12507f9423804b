/**
 * What a starting process tells: one line each in a file, begun anew by each start. `up` follows it, and `status`
 * reads from it whether the process is ready.
 */
import { appendFileSync } from "node:fs"
import type { Clock, Logger } from "@knarr/base"
import { readIfThere, writeAtomically } from "./cluster-home.ts"

export type Progress =
  | { readonly step: string; readonly ms: number }
  | { readonly ready: true }
  | { readonly error: string }

/** The server's step with which its API can be asked. */
export const answeringStep = "API server ready"

export interface Steps {
  /** A step is done; its time counts from the start of the process. */
  done(step: string): void
  /** Everything runs. */
  ready(): void
  failed(error: Error): void
}

/** A start of a process: whose it is, what the start before it failed of, and what it told so far. */
export interface Start {
  readonly pid: number
  readonly lastError?: string
  readonly told: readonly Progress[]
}

/** Begins a start of this process. */
export function createSteps(clock: Clock, log: Logger, file: string): Steps {
  const startMs = clock.monotonic()
  const lastError = errorOf(readProgress(file))
  writeAtomically(file, `${JSON.stringify({ pid: process.pid, lastError })}\n`)
  const tell = (progress: Progress): void => {
    try {
      // A full disk may have cut the last line short.
      appendFileSync(file, `\n${JSON.stringify(progress)}\n`)
    } catch (thrown) {
      log.error("Cannot tell how far the start is", thrown, { file })
    }
  }
  return {
    done(step) {
      const ms = clock.monotonic() - startMs
      log.info("Started", { step, seconds: Number((ms / 1000).toFixed(3)) })
      tell({ step, ms })
    },
    ready: () => tell({ ready: true }),
    failed: (error) => tell({ error: error.message }),
  }
}

/** What the last start failed of, or else the one before it. */
export function errorOf(start: Start | undefined): string | undefined {
  return start?.told.find((one) => "error" in one)?.error ?? start?.lastError
}

/** The last start. Undefined when there was none. */
export function readProgress(file: string): Start | undefined {
  const text = readIfThere(file) ?? ""
  // What follows the last newline is still being written.
  const [first, ...told] = text.split("\n").slice(0, -1).flatMap(parseLine)
  return first === undefined ? undefined : { ...(first as Omit<Start, "told">), told: told as Progress[] }
}

/** None of what a full disk cut short. */
function parseLine(line: string): unknown[] {
  try {
    return line === "" ? [] : [JSON.parse(line)]
  } catch {
    return []
  }
}
