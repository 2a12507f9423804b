/** `status` of any kind that has one. Mirrors: the StatusREST of every pkg/registry/…/storage */
import { statusStrategy } from "../update-strategies.ts"
import { partOfObject } from "../verbs/stored.ts"

export const status = partOfObject({ name: "status", strategy: statusStrategy })
