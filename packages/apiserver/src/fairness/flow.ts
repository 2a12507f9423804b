/** What a request is known by among others: its schema, and who asks. */
import type { flowcontrolV1 } from "@knarr/api"
import type { UserInfo } from "../contract.ts"
import type { Level } from "./level.ts"

/** What is counted of a schema's requests. Times in seconds. */
export interface SchemaCounts {
  /** A request wants so many seats. */
  asked(seats: number): void
  /** A request has its seats, after it waited so long. */
  entered(seconds: number): void
  /** It is over, or has begun as a watch. */
  left(seconds: number, isWatch: boolean): void
}

/** A FlowSchema as it is in force. */
export interface Schema {
  readonly name: string
  readonly uid: string
  readonly level: Level
  readonly counts: SchemaCounts
  readonly distinguisher: "ByUser" | "ByNamespace" | undefined
  readonly rules: readonly flowcontrolV1.PolicyRulesWithSubjects[]
}

/** A request that is known by its schema. */
export interface Flow {
  readonly schema: Schema
  readonly user: UserInfo
  readonly isWatch: boolean
}
