/** DELETE of an object and of a collection. Mirrors: apiserver pkg/endpoints/handlers/delete.go */
import { deletedStatus } from "../answers.ts"
import { deleteCollection, deleteObject, validateDeletion } from "../delete.ts"
import { listObjects, type ListQuery, type ListResult, matching } from "../list.ts"
import type { DeletionOptions, WriteRequest } from "../request.ts"
import type { ResourceStorage } from "../storage.ts"
import type { Answer, Target } from "./handler.ts"

/** Deletes an object, or begins to: answers its last state, or a Status where the kind shows none. */
export async function removeObject(
  { storage, ref }: Target,
  options: DeletionOptions,
  request: WriteRequest,
): Promise<Answer> {
  const { object, gone, asStatus } = await deleteObject(storage, ref, options, request)
  const code = !gone && options.orphanDependents === false ? 202 : 200
  return asStatus ? { code, value: deletedStatus(storage, ref.name, object.uid) } : { code, object }
}

/** Deletes what a list answers; the answer is that list. */
export async function removeCollection(
  storage: ResourceStorage,
  query: ListQuery,
  options: DeletionOptions,
  request: WriteRequest,
): Promise<ListResult> {
  validateDeletion(options)
  const result = await listObjects(storage, query, request.signal)
  const items = matching(result)
  await deleteCollection(storage, items, options, request)
  return { ...result, items, filtered: true }
}
