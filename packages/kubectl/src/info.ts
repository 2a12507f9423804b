/** What commands work on. Mirrors: cli-runtime pkg/resource/visitor.go */
import type { ApiResource } from "./api-resource.ts"
import type { Obj } from "./object.ts"

/** One object, or one page of a collection (then `name` is ""). */
export interface Info {
  readonly resource: ApiResource
  readonly namespace: string
  readonly name: string
  object: Obj
  /** The manifest it is from. */
  readonly source?: string
}
