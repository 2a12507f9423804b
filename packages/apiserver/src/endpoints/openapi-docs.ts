/** The documentation texts of types and fields, as the build packs them (tools/docs.ts). */
import { createHash } from "node:crypto"
import { brotliDecompressSync } from "node:zlib"
import type { Describe } from "./openapi-schemas.ts"

export interface OpenApiDocs {
  /** Another one when the texts are others. */
  readonly version: string
  /** Unpacks the texts: some megabytes and milliseconds, to be dropped when a document is made. */
  unpack(): Describe
}

/** Texts from the bytes of the file. Throws, when they are unpacked, on bytes that are none. */
export function readOpenApiDocs(packed: Buffer): OpenApiDocs {
  return {
    version: createHash("sha256").update(packed).digest("hex"),
    unpack() {
      const texts = JSON.parse(brotliDecompressSync(packed).toString("utf8")) as Partial<
        Record<string, Partial<Record<string, string>>>
      >
      return (definition, field = "") => texts[definition]?.[field]
    },
  }
}
