/** The texts that `kubectl explain` prints, from the file that the set-up makes (tools/docs.ts). */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { readOpenApiDocs, type OpenApiDocs } from "@knarr/apiserver"

/** Beside the bundle, beside a chunk of it, or seen from the sources. */
const places = ["openapi-docs.bin", "../openapi-docs.bin", "../../../dist/openapi-docs.bin"]

/** Reads the file; undefined when there is none, and objects then have no descriptions. */
export function loadOpenApiDocs(): OpenApiDocs | undefined {
  for (const place of places) {
    try {
      return readOpenApiDocs(readFileSync(join(import.meta.dirname, place)))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error
    }
  }
  return undefined
}
