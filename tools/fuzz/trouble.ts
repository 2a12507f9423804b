/** What goes wrong: thrown by a check, logged as an error, or caught by nobody. */
import { Meter, silentLogger, systemClock, systemRandom, type Env, type Logger } from "@knarr/base"
import { Finding } from "./target.ts"

export interface Broken {
  /** Two that say the same are one finding. */
  readonly what: string
  readonly message: string
}

/** Collects what is logged as an error through its `env`, and what nobody in the process catches, until it is disposed of. */
export class Trouble implements Disposable {
  readonly #broken: Broken[] = []
  readonly env: Env

  constructor() {
    const log: Logger = {
      ...silentLogger,
      error: (text, error, fields) => this.#add(`logged: ${text}`, error, fields),
      with: () => log,
    }
    this.env = { clock: systemClock, random: systemRandom, log, meter: new Meter() }
    process.on("uncaughtException", this.#onUncaught)
    process.on("unhandledRejection", this.#onUncaught)
  }

  readonly #onUncaught = (error: unknown): void => this.#add("nobody caught", error)

  #add(text: string, error: unknown, fields?: object): void {
    if (this.#broken.length >= 10) return
    const { what, message } = brokenBy(error)
    const more = fields ? ` ${JSON.stringify(fields)}` : ""
    this.#broken.push({ what: `${text}: ${what}`, message: `${text}: ${message}${more}` })
  }

  /** The first since it was last asked. */
  take(): Broken | undefined {
    return this.#broken.splice(0)[0]
  }

  [Symbol.dispose](): void {
    process.off("uncaughtException", this.#onUncaught)
    process.off("unhandledRejection", this.#onUncaught)
  }
}

/** What a thrown value says, with the place in our code that it came from. */
export function brokenBy(thrown: unknown): Broken {
  if (!(thrown instanceof Error)) return { what: "no Error is thrown", message: `threw ${String(thrown)}` }
  const text = thrown.message.length > 2_000 ? `${thrown.message.slice(0, 2_000)}…` : thrown.message
  if (thrown instanceof Finding) return { what: thrown.what, message: text }
  const place = /\/(packages\/[^)\s]+?:\d+)/.exec(thrown.stack ?? "")?.[1] ?? ""
  return { what: `${thrown.name} at ${place}`, message: `${thrown.name}: ${text} at ${place}` }
}
