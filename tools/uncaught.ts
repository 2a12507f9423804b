/**
 * Loaded before each test file (`--import`), before node:test. Node's runner follows every promise that is made, to say
 * which test an uncaught error is of: a fifth of all processor time, and a third of what passes virtual hours. Here nothing
 * is followed, and an uncaught error or rejection ends the process at once with its stack: its file has failed, as its
 * test would have. `node --test FILE` says which test it was.
 */
import hooks from "node:async_hooks"
import { inspect } from "node:util"

const nothing: hooks.AsyncHook = { enable: () => nothing, disable: () => nothing }
Object.assign(hooks, { createHook: () => nothing })

for (const event of ["uncaughtException", "unhandledRejection"])
  process.on(event, (thrown: unknown) => {
    process.stderr.write(`Not caught by any test (${event}): ${inspect(thrown)}\n`)
    process.exit(1)
  })
