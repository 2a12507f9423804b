/** Continue tokens, byte for byte upstream's. Mirrors: apiserver pkg/storage/continue.go */
import { badRequest, goQuote } from "@knarr/apimachinery"
import { messageOf, parseJson } from "@knarr/base"

export interface ContinueToken {
  /** -1: go on with whatever is there now. */
  readonly revision: number
  /** Relative to what is listed. */
  readonly start: string
}

export function encodeContinue(token: ContinueToken): string {
  const text = JSON.stringify({ v: "meta.k8s.io/v1", rv: token.revision, start: token.start })
  return Buffer.from(text).toString("base64url")
}

/** Throws a 400 StatusError. */
export function decodeContinue(text: string): ContinueToken {
  const fail = (why: string): never => {
    throw badRequest(`invalid continue token: continue key is not valid: ${why}`)
  }
  if (!/^[A-Za-z0-9_-]*$/.test(text))
    fail(`illegal base64 data at input byte ${text.search(/[^A-Za-z0-9_-]/)}`)
  const bytes = Buffer.from(text, "base64url")
  const first = bytes[0] ?? 0
  // Go's decoder reads bytes, not characters.
  if (first > 0x7f)
    fail(
      `invalid character ${goQuote(String.fromCharCode(first)).replaceAll('"', "'")} looking for beginning of value`,
    )
  let token: { v?: unknown; rv?: unknown; start?: unknown }
  try {
    token = parseJson(bytes.toString()) as typeof token
  } catch (thrown) {
    return fail(messageOf(thrown))
  }
  if (token.v !== "meta.k8s.io/v1") {
    return fail(`server does not recognize this encoded version ${String(token.v ?? "")}`)
  }
  if (typeof token.rv !== "number" || token.rv === 0) {
    return fail("incorrect encoded start resourceVersion (version meta.k8s.io/v1)")
  }
  if (typeof token.start !== "string" || token.start === "") {
    return fail("encoded start key empty (version meta.k8s.io/v1)")
  }
  if (token.start.split("/").some((part) => part === "" || part === "." || part === ".."))
    return fail(token.start)
  return { revision: token.rv, start: token.start }
}
