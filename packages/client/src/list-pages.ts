/** Long lists, piece by piece. Mirrors: client-go tools/pager/pager.go */
import { isExpired, type Kind, type KubeObject } from "@knarr/apimachinery"
import type { Client, ListOptions, ObjectList } from "./client.ts"

/** Objects in a piece, as upstream. */
const pageSize = 500

/**
 * All objects of a selection, asked for in pieces: no answer is long, and the server keeps none for long. When what
 * the pieces are of is forgotten half-way, all are asked for at once.
 */
export async function listPages<T extends KubeObject>(
  client: Client,
  kind: Kind<T>,
  options: Omit<ListOptions, "limit" | "continue">,
): Promise<ObjectList<T>> {
  const items: T[] = []
  for (let next: string | undefined; ;) {
    let page
    try {
      page = await client.list(kind, { ...options, limit: pageSize, continue: next })
    } catch (thrown) {
      if (next === undefined || !isExpired(thrown)) throw thrown
      return client.list(kind, options)
    }
    for (const item of page.items) items.push(item)
    next = page.metadata.continue
    if (!next) return { metadata: page.metadata, items }
  }
}
