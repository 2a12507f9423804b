/** How long-running processes are started: settings of Node and of glibc's allocator. */
import { simulatedProcess } from "./simulated-names.ts"

/**
 * glibc keeps what is freed in one arena per thread; a server that once streamed large lists would hold hundreds
 * of megabytes. One arena, given back early, costs nothing that can be measured here.
 */
export const allocatorSettings: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: "1",
  MALLOC_MMAP_THRESHOLD_: "65536",
  MALLOC_TRIM_THRESHOLD_: "1048576",
}

/** A young generation that is collected before it is large: of 16 MB it kept 20 MB more of an idle server, and saved nothing. */
export const serverNodeFlags: readonly string[] = ["--max-semi-space-size=8"]

/** An agent's heap is small and often rests: compact code and an early collection keep 40 MB of a busy one's 140. */
const agentNodeFlags: readonly string[] = ["--max-semi-space-size=4", "--optimize-for-size"]

/** Of the process of that name. Thousands of simulated nodes are as busy as a server. */
export function nodeFlagsOf(name: string): readonly string[] {
  return name === "server" || name === simulatedProcess ? serverNodeFlags : agentNodeFlags
}
