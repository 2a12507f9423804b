/** The wait of a process that is started with the API server it speaks to. */
import { messageOf, type Env } from "@knarr/base"
import type { Transport } from "@knarr/client"

/** How long a server that was started with us may take. */
const serverStartMs = 10_000
const serverPollMs = 10
const lateServerPollMs = 500

/**
 * Resolves when the API server serves, whatever troubles its controllers or other nodes. It is asked often at first,
 * since it starts when we do, and gently later.
 */
export async function untilServes(transport: Transport, env: Env, signal: AbortSignal): Promise<void> {
  const begun = env.clock.monotonic()
  for (let isSaid = false; ;) {
    let problem
    try {
      const response = await transport.request({
        method: "GET",
        path: "/readyz?exclude=tasks&exclude=processes",
        signal,
      })
      await response.buffer()
      if (response.status === 200) return
      problem = `status ${response.status}`
    } catch (thrown) {
      signal.throwIfAborted()
      problem = messageOf(thrown)
    }
    const isLate = env.clock.monotonic() - begun > serverStartMs
    if (isLate && !isSaid)
      env.log.warn("The API server does not answer yet", { server: transport.server, err: problem })
    isSaid ||= isLate
    await env.clock.sleep(isLate ? lateServerPollMs : serverPollMs, signal)
  }
}
