/**
 * Keeps the links of proxied pages behind the proxy: absolute paths in tags get the proxy's prefix.
 * Mirrors: apimachinery pkg/util/proxy/transport.go
 */
import { Transform } from "node:stream"
import { createDeflateRaw, createGunzip, createGzip, createInflateRaw } from "node:zlib"
import { tableOf } from "@knarr/base"

/** Attributes that hold links, by tag. */
const attributes: Readonly<Record<string, readonly string[]>> = tableOf({
  a: ["href"],
  applet: ["codebase"],
  area: ["href"],
  audio: ["src"],
  base: ["href"],
  blockquote: ["cite"],
  body: ["background"],
  button: ["formaction"],
  command: ["icon"],
  del: ["cite"],
  embed: ["src"],
  form: ["action"],
  frame: ["longdesc", "src"],
  head: ["profile"],
  html: ["manifest"],
  iframe: ["longdesc", "src"],
  img: ["longdesc", "src", "usemap"],
  input: ["src", "usemap", "formaction"],
  ins: ["cite"],
  link: ["href"],
  object: ["classid", "codebase", "data", "usemap"],
  q: ["cite"],
  script: ["src"],
  source: ["src"],
  video: ["poster", "src"],
})

/** What is held back of a tag that has not ended yet; a longer one passes as it is. */
const maxTagChars = 64 * 1024

export interface PageCoding {
  /** From what was sent to the page, and back. */
  decode(): Transform[]
  encode(): Transform[]
}

const codings: Readonly<Record<string, PageCoding>> = tableOf({
  "": { decode: () => [], encode: () => [] },
  gzip: { decode: () => [createGunzip()], encode: () => [createGzip()] },
  // The published server takes the name for the bare format.
  deflate: { decode: () => [createInflateRaw()], encode: () => [createDeflateRaw()] },
})

/** How a page is packed; undefined when it is in a way in which links cannot be found. */
export function pageCoding(encoding: string | string[] | undefined): PageCoding | undefined {
  return codings[encoding === undefined ? "" : String(encoding)]
}

/** Rewrites links with `rewrite` while the page streams by. */
export function createLinkRewriter(rewrite: (link: string) => string): Transform {
  let held = ""
  const decoder = new TextDecoder()
  const change = (text: string): string =>
    text.replace(/<([a-zA-Z]+)\s[^<>]*>/g, (tag, name: string) => {
      const links = attributes[name.toLowerCase()]
      if (!links) return tag
      return tag.replace(
        /(\s)([\w-]+)(\s*=\s*)("[^"]*"|'[^']*')/g,
        (all, space: string, attribute: string, equals: string, value: string) =>
          links.includes(attribute.toLowerCase())
            ? `${space}${attribute}${equals}${value[0]}${rewrite(value.slice(1, -1))}${value.at(-1)}`
            : all,
      )
    })
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const text = held + decoder.decode(chunk, { stream: true })
      const open = text.lastIndexOf("<")
      const cut =
        open >= 0 && !text.includes(">", open) && text.length - open < maxTagChars ? open : text.length
      held = text.slice(cut)
      done(null, Buffer.from(change(text.slice(0, cut))))
    },
    flush(done) {
      done(null, Buffer.from(change(held + decoder.decode())))
    },
  })
}
