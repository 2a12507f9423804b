/** The codec of the CRI's messages. */
import { createCodec, type Codec, type MessageInit } from "@knarr/grpc"
import { criEnums, criTables, type CriMessages } from "./cri.gen.ts"

export const criCodec: Codec<CriMessages> = createCodec<CriMessages>(criTables, criEnums)

/** `init` as the other end would read it: a copy, with every default filled in. */
export function completeMessage<Name extends keyof CriMessages>(
  name: Name,
  init: MessageInit<CriMessages[Name]>,
): CriMessages[Name] {
  return criCodec.decode(name, criCodec.encode(name, init))
}
