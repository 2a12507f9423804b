/** Environments of tests: they say nothing, and the virtual one is the same each time. */
import {
  Meter,
  seededRandom,
  silentLogger,
  systemClock,
  systemRandom,
  VirtualClock,
  type Env,
} from "@knarr/base"

export interface VirtualEnv extends Env {
  readonly clock: VirtualClock
}

/** Time that only the test moves, and chance from a seed. */
export function virtualEnv(seed = 1): VirtualEnv {
  return { clock: new VirtualClock(), random: seededRandom(seed), log: silentLogger, meter: new Meter() }
}

/** The machine's time and chance, for tests of what is real: sockets, files, other programs. */
export function systemEnv(): Env {
  return { clock: systemClock, random: systemRandom, log: silentLogger, meter: new Meter() }
}
