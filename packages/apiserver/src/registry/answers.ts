/** Answers that are not objects of a kind. */
import { unexpectedError, type Kind, type Status } from "@knarr/apimachinery"
import { NoSpaceError, StoreFailedError } from "@knarr/store"

/** What a deletion answers when it does not answer the object. */
export function deletedStatus(
  { kind: { group, plural } }: { readonly kind: Kind },
  name: string,
  uid: string,
): Status {
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: { name, ...(group === "" ? {} : { group }), kind: plural, uid },
  }
}

/** What a subresource answers that has nothing to show. */
export const createdStatus: Status = {
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Success",
  code: 201,
}

/**
 * What a client is told of a failure of the store: of a full disk, a 500 without a reason in the words that
 * operators look for. Anything else is handed back as it is.
 */
export function storeFailure(thrown: unknown): unknown {
  if (thrown instanceof StoreFailedError) return unexpectedError(thrown.message)
  if (!(thrown instanceof NoSpaceError)) return thrown
  return unexpectedError("etcdserver: mvcc: database space exceeded")
}
