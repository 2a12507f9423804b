/** Reads .proto files as far as published Kubernetes definitions use the language. */

/** [number, type] or [number, type, oneof]. */
export type ProtoField = readonly [number, string] | readonly [number, string, string]

export interface ProtoFile {
  readonly packageName: string
  readonly messages: Readonly<Record<string, Readonly<Record<string, ProtoField>>>>
  readonly enums: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Service → method → [request, response], `stream ` before what streams. */
  readonly services: Readonly<Record<string, Readonly<Record<string, readonly [string, string]>>>>
}

export function parseProto(source: string): ProtoFile {
  const text = source.replace(/\/\/[^\n]*/g, "").replace(/\/\*[\s\S]*?\*\//g, "")
  const messages: Record<string, Record<string, ProtoField>> = {}
  const enums: Record<string, Record<string, number>> = {}
  const services: Record<string, Record<string, readonly [string, string]>> = {}
  const packageName = /^package\s+([\w.]+)\s*;/m.exec(text)?.[1] ?? ""

  const readMessage = (name: string, body: string): void => {
    const fields: Record<string, ProtoField> = {}
    messages[name] = fields
    let rest = body
    for (const block of blocksIn(body)) {
      rest = rest.replace(block.text, "")
      if (block.keyword === "message") readMessage(block.name, block.body)
      else if (block.keyword === "enum") enums[block.name] = readEnum(block.body)
      else if (block.keyword === "oneof") readFields(block.body, fields, block.name)
    }
    readFields(rest, fields)
  }
  for (const block of blocksIn(text)) {
    if (block.keyword === "message") readMessage(block.name, block.body)
    else if (block.keyword === "enum") enums[block.name] = readEnum(block.body)
    else if (block.keyword === "service") {
      const methods: Record<string, readonly [string, string]> = {}
      for (const [, method, request, response] of block.body.matchAll(
        /rpc\s+(\w+)\s*\(([\w .]+)\)\s*returns\s*\(([\w .]+)\)/g,
      ))
        methods[method!] = [request!.trim(), response!.trim()]
      services[block.name] = methods
    }
  }
  return { packageName, messages, enums, services }
}

interface Block {
  readonly keyword: string
  readonly name: string
  readonly body: string
  readonly text: string
}

/** The outermost blocks of a text. */
function blocksIn(text: string): Block[] {
  const blocks: Block[] = []
  const start = /\b(message|enum|service|oneof)\s+(\w+)\s*\{/g
  for (let match = start.exec(text); match; match = start.exec(text)) {
    let depth = 1
    let at = start.lastIndex
    while (depth > 0 && at < text.length) {
      if (text[at] === "{") depth++
      else if (text[at] === "}") depth--
      at++
    }
    blocks.push({
      keyword: match[1]!,
      name: match[2]!,
      body: text.slice(start.lastIndex, at - 1),
      text: text.slice(match.index, at),
    })
    start.lastIndex = at
  }
  return blocks
}

function readFields(body: string, into: Record<string, ProtoField>, oneof?: string): void {
  for (const [, label, type, name, number] of body.matchAll(
    /(?:(optional|required|repeated)\s+)?(map\s*<[^>]+>|[\w.]+)\s+(\w+)\s*=\s*(\d+)/g,
  )) {
    const full = `${label === "repeated" ? "repeated " : ""}${type!.replace(/\s+/g, "")}`
    into[name!] = oneof ? [Number(number), full, oneof] : [Number(number), full]
  }
}

function readEnum(body: string): Record<string, number> {
  return Object.fromEntries(
    [...body.matchAll(/(\w+)\s*=\s*(-?\d+)\s*[;[]/g)].map(([, name, number]) => [name!, Number(number)]),
  )
}
