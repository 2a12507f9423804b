/** What every component takes from outside. */
import type { Clock } from "./clock.ts"
import type { Logger } from "./log.ts"
import type { Random } from "./random.ts"

/** The world around a component: its time, its chance and its voice. */
export interface Env {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}
