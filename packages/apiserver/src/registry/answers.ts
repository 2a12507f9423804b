/** Answers that are not objects of a kind. */
import type { Status } from "@knarr/apimachinery"
import type { ResourceStorage } from "./storage.ts"

/** What a deletion answers when it does not answer the object. */
export function deletedStatus(storage: ResourceStorage, name: string, uid: string): Status {
  const { group, plural } = storage.kind
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
