/** The packed `knarr` command: turns the compile cache on, which a module that is loaded already no longer uses. */
import { enableCompileCache } from "node:module"

enableCompileCache()
await import("./main.ts")
