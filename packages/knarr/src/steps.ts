/** Tells the parent process, if there is one, how far a start has come. */
import { fstatSync, writeSync, closeSync } from "node:fs"
import type { Clock, Logger } from "@knarr/base"
import type { Progress } from "./process-control.ts"

export interface Steps {
  /** A step is done; its time counts from the start of the process. */
  done(step: string): void
  /** Everything runs: the parent may go. */
  ready(): void
  failed(error: Error): void
}

const progressFd = 3

export function createSteps(clock: Clock, log: Logger): Steps {
  const startMs = clock.monotonic()
  let open = isPipe(progressFd)
  const tell = (progress: Progress): void => {
    if (!open) return
    try {
      writeSync(progressFd, `${JSON.stringify(progress)}\n`)
    } catch {
      // The parent is gone; it is not needed.
      open = false
    }
  }
  const end = (): void => {
    if (open) closeSync(progressFd)
    open = false
  }
  return {
    done(step) {
      const ms = clock.monotonic() - startMs
      log.info("Started", { step, seconds: Number((ms / 1000).toFixed(3)) })
      tell({ step, ms })
    },
    ready() {
      tell({ ready: true })
      end()
    },
    failed(error) {
      tell({ error: error.message })
      end()
    },
  }
}

function isPipe(fd: number): boolean {
  try {
    return fstatSync(fd).isFIFO() || fstatSync(fd).isSocket()
  } catch {
    return false
  }
}
