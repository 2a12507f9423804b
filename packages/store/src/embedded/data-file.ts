import { join } from "node:path"

/** The data file of the store in `dir`. */
export function dataFile(dir: string): string {
  return join(dir, "data.mdb")
}
