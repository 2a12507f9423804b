/** What every component takes from outside. */
import type { Clock } from "./clock.ts"
import type { Logger } from "./log.ts"
import type { Meter } from "./meter.ts"
import type { Random } from "./random.ts"

/** The world around a component: its time, its chance, its voice and what it counts. */
export interface Env {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly meter: Meter
}
