/**
 * Which subresources, and resources that are not stored, the registry itself answers for. Others are given to it where
 * they need more than it has (`token`, reviews), or come with a kind that is made while the server runs.
 */
import type { Handler } from "../verbs/handler.ts"
import { binding, bindings } from "./binding.ts"
import { approval } from "./certificate-approval.ts"
import { ephemeralContainers } from "./ephemeral-containers.ts"
import { eviction } from "./eviction.ts"
import { finalize } from "./finalize.ts"
import { resize } from "./resize.ts"
import { scale } from "./scale.ts"
import { status } from "./status.ts"

export const subresourceHandlers: readonly Handler[] = [
  status,
  scale,
  finalize,
  approval,
  ephemeralContainers,
  resize,
  binding,
  bindings,
  eviction,
]
