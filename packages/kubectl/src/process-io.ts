/** The world of a real process, for whoever runs kubectl from a shell. */
import type { Clock, Random } from "@knarr/base"
import type { KubectlIo } from "./io.ts"

/** This process's streams, environment and terminal. */
export function processIo(options: { clock: Clock; random: Random; signal: AbortSignal }): KubectlIo {
  const { stdin, stdout, stderr, env } = process
  return {
    ...options,
    stdin,
    stdout,
    stderr,
    env,
    isTTY: { stdin: stdin.isTTY === true, stdout: stdout.isTTY === true, stderr: stderr.isTTY === true },
    terminalSize: () => (stdout.isTTY === true ? { columns: stdout.columns, rows: stdout.rows } : undefined),
    onResize: (fn) => {
      stdout.on("resize", fn)
      return { [Symbol.dispose]: () => void stdout.off("resize", fn) }
    },
    setRawMode: (raw) => {
      if (stdin.isTTY === true) stdin.setRawMode(raw)
    },
  }
}
