import assert from "node:assert/strict"
import { text } from "node:stream/consumers"
import { test } from "node:test"
import { createLinkRewriter } from "./html-links.ts"

const prefixed = (link: string): string => (link.startsWith("/") ? `/proxy${link}` : link)

test("links in tags are rewritten, wherever the page is cut into chunks", async () => {
  const page = `<html><a href="/rewriteme">test</a><a class='x' href='/b?c=d'>b</a> a < b <p title="/keep">/text</p><img src="rel.png"><script src="/s.js"></script>é</html>`
  const expected = page
    .replace('"/rewriteme"', '"/proxy/rewriteme"')
    .replace("'/b?c=d'", "'/proxy/b?c=d'")
    .replace('"/s.js"', '"/proxy/s.js"')
  for (const size of [1, 7, 1000]) {
    const rewriter = createLinkRewriter(prefixed)
    const bytes = Buffer.from(page)
    for (let at = 0; at < bytes.length; at += size) rewriter.write(bytes.subarray(at, at + size))
    rewriter.end()
    assert.equal(await text(rewriter), expected)
  }
})
