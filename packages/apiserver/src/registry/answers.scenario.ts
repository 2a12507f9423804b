/**
 * How answers are recorded: `testdata/answers` holds, for each kind, an object and what is tried with it. The
 * recorder asks the published API server, the test asks ours, and both keep of an answer what is said here.
 */
import type { Status } from "@knarr/apimachinery"

export interface Answer {
  readonly code: number
  readonly message?: string
  readonly causes?: readonly string[]
  readonly warnings?: readonly string[]
  readonly shown?: Readonly<Record<string, unknown>>
}

/** An answer without an error: its warnings, and the fields of `object` at the dotted paths of `show`. */
export function acceptance(
  code: number,
  object: object,
  warnings: readonly string[],
  show: readonly string[] | undefined,
): Answer {
  return {
    code,
    ...(warnings.length > 0 ? { warnings } : {}),
    ...(show ? { shown: Object.fromEntries(show.map((path) => [path, stable(pick(object, path))])) } : {}),
  }
}

/** An error: the causes of one that is invalid, the message of any other. */
export function refusal(code: number, status: Pick<Status, "message" | "details">): Answer {
  if (code !== 422) return { code, message: status.message ?? "" }
  const causes = (status.details?.causes ?? []).map(
    ({ field, reason, message }) => `${field}: ${reason}: ${String(stable(message))}`,
  )
  return { code, causes }
}

/** Without what differs from run to run. */
function stable(value: unknown): unknown {
  const text = JSON.stringify(value)
  if (text === undefined) return undefined
  return JSON.parse(
    text
      .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, "UID")
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "TIME"),
  )
}

function pick(object: object, path: string): unknown {
  let value: unknown = object
  for (const name of path.split(".")) value = (value as Record<string, unknown> | undefined)?.[name]
  return value
}
