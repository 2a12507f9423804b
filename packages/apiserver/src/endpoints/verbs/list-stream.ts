/**
 * Sends a list: the encoded bytes of each item between a beginning and an end, in slices, giving other requests
 * their turn between them. A list is encoded as a whole only in encodings that know no pieces.
 */
import type { Exchange } from "../../contract.ts"
import {
  type Encoding,
  itemValueOf,
  type ListEncoding,
  type ListMetadata,
  type Presentation,
} from "../../encoding/encoding.ts"
import type { KindView } from "../../registry/kind-view.ts"
import type { ListResult } from "../../registry/list.ts"
import { answerDocument } from "./answer.ts"
import { sendCompressed } from "./list-compressed.ts"
import { Pieces, sliceBytes } from "./list-pieces.ts"
import { Turns } from "./list-turns.ts"
import { recordList } from "./recorded-list.ts"

function listMetadata(result: ListResult): ListMetadata {
  return {
    resourceVersion: String(result.revision),
    ...(result.continue === "" ? {} : { continue: result.continue }),
    ...(result.remaining ? { remainingItemCount: result.remaining } : {}),
  }
}

export async function sendList(
  exchange: Exchange,
  encoding: Encoding,
  view: KindView,
  shown: Presentation,
  result: ListResult,
): Promise<void> {
  const metadata = listMetadata(result)
  if (!encoding.list) return sendWhole(exchange, encoding, view, shown, result)
  const list = encoding.list(shown, metadata)
  if (await sendCompressed(exchange, encoding, list, view, shown, result)) return
  if (list.sized) return sendSized(exchange, encoding, list, view, shown, result)
  const { open, separator, itemFrom } = list
  const pieces = new Pieces(exchange, encoding.mediaType)
  pieces.add(list.begin())
  let count = 0
  const turns = new Turns(exchange, view, result)
  const recorded = recordList(exchange, shown, metadata)
  for (let at = 0; at < result.items.length; at++) {
    const wait = turns.before(at)
    if (wait) await wait
    const object = result.items[at]!
    if (!turns.wants(object)) continue
    recorded?.add(object)
    const item = list.item(object)
    if (pieces.isFull(item)) {
      await pieces.send()
      turns.taken()
    }
    pieces.add(count++ === 0 ? open : separator)
    pieces.add(item, itemFrom)
  }
  recorded?.end()
  pieces.add(list.end(count))
  return pieces.end()
}

/** As one document. */
async function sendWhole(
  exchange: Exchange,
  encoding: Encoding,
  view: KindView,
  shown: Presentation,
  result: ListResult,
): Promise<void> {
  const { fields, itemsField, noItems } = shown.list(listMetadata(result))
  const items: object[] = []
  const turns = new Turns(exchange, view, result)
  for (let at = 0; at < result.items.length; at++) {
    const wait = turns.before(at)
    if (wait) await wait
    const object = result.items[at]!
    if (turns.wants(object)) items.push(itemValueOf(shown, object))
  }
  const document = { ...fields, [itemsField]: items.length === 0 ? noItems : items }
  return answerDocument(exchange, 200, encoding, document, shown.listType)
}

/** Of which the beginning says how long it is: items are encoded first, in turns, and sent afterwards. */
async function sendSized(
  exchange: Exchange,
  { mediaType }: Encoding,
  list: ListEncoding,
  view: KindView,
  shown: Presentation,
  result: ListResult,
): Promise<void> {
  const items: Buffer[] = []
  let bytes = 0
  let turnEnd = sliceBytes
  const turns = new Turns(exchange, view, result)
  const recorded = recordList(exchange, shown, listMetadata(result))
  for (let at = 0; at < result.items.length; at++) {
    const wait = turns.before(at)
    if (wait) await wait
    const object = result.items[at]!
    if (!turns.wants(object)) continue
    recorded?.add(object)
    const item = list.item(object)
    items.push(item)
    bytes += item.length - list.itemFrom
    if (bytes < turnEnd) continue
    turnEnd = bytes + sliceBytes
    turns.end()
  }
  recorded?.end()
  const pieces = new Pieces(exchange, mediaType)
  pieces.add(list.begin({ count: items.length, bytes }))
  for (const [at, item] of items.entries()) {
    if (pieces.isFull(item)) await pieces.send()
    pieces.add(at === 0 ? list.open : list.separator)
    pieces.add(item, list.itemFrom)
  }
  pieces.add(list.end(items.length))
  return pieces.end()
}
