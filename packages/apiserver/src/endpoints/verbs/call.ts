/** One request about a resource, as the verbs take it. */
import type { Env } from "@knarr/base"
import type { Encodings } from "../../encoding/encodings.ts"
import type { Exchange, RequestContext } from "../../contract.ts"
import type { ResourceStorage } from "../../registry/storage.ts"
import type { Target } from "../../registry/verbs/handler.ts"
import type { Handlers } from "../../registry/verbs/handlers.ts"
import type { TableColumns } from "./table-columns.ts"

/** What a verb needs of its request. */
export interface Call {
  readonly exchange: Exchange
  readonly ctx: RequestContext
  readonly handlers: Handlers
  readonly storage: ResourceStorage
  readonly target: Target
  readonly columns: TableColumns
  readonly encodings: Encodings
  readonly env: Env
}
