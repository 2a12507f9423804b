/** When this process is asked to stop. */
import { CancelledError } from "@knarr/base"

/** A signal that the first SIGINT or SIGTERM aborts; the second ends the process at once. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController()
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => controller.abort(new CancelledError("the process")))
  }
  return controller.signal
}
