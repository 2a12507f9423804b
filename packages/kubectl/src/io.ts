/** The world of one run of kubectl. */
import type { Readable, Writable } from "node:stream"
import type { Clock, Random } from "@knarr/base"

/** What the program takes from outside. */
export interface KubectlIo {
  readonly stdin: Readable
  readonly stdout: Writable
  readonly stderr: Writable
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborted when the user interrupts. */
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly random: Random
  /** Whether the streams are terminals. Default: all false. */
  readonly isTTY?: { readonly stdin?: boolean; readonly stdout?: boolean; readonly stderr?: boolean }
  /** Where relative paths begin. Default: the process's folder. */
  readonly cwd?: string
  /** The terminal's size now; undefined when there is none. */
  terminalSize?(): { columns: number; rows: number } | undefined
  /** Calls `fn` whenever the terminal changes its size. */
  onResize?(fn: () => void): Disposable
  /** Switches the terminal's raw mode. */
  setRawMode?(raw: boolean): void
}
