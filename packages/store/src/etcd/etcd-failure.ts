/** What etcd refuses, as the store's contract has it. */
import { GrpcError, grpcCodeName } from "@knarr/grpc"
import { CompactedError, FutureRevisionError, NoSpaceError, StoreFailedError } from "../store.ts"

const texts = {
  compacted: "etcdserver: mvcc: required revision has been compacted",
  future: "etcdserver: mvcc: required revision is a future revision",
  noSpace: "etcdserver: mvcc: database space exceeded",
} as const

export const noLeaseText = "etcdserver: requested lease not found"
export const leaseExistsText = "etcdserver: lease already exists"

export interface AskedFor {
  readonly revision: number
  readonly current: number
  readonly compactRevision: number
}

/** Etcd's own texts are told as they are, everything else as Go tells of a call that failed. */
export function failureOf(
  thrown: GrpcError,
  { revision, current, compactRevision }: AskedFor = { revision: 0, current: 0, compactRevision: 0 },
): Error {
  switch (thrown.message) {
    case texts.compacted:
      return new CompactedError(revision, Math.max(compactRevision, revision + 1))
    case texts.future:
      return new FutureRevisionError(revision, current)
    case texts.noSpace:
      return new NoSpaceError(thrown)
  }
  const { code, message } = thrown
  const text = message.startsWith("etcdserver: ")
    ? message
    : `rpc error: code = ${grpcCodeName(code)} desc = ${message}`
  return new StoreFailedError(text, thrown)
}
