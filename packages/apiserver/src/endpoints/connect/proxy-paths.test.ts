import assert from "node:assert/strict"
import { test } from "node:test"
import { cleanPath, createRewrite, escapePath } from "./proxy-paths.ts"

test("paths are made clean and escaped as Go does", () => {
  for (const [path, expected] of [
    ["", ""],
    ["/", "/"],
    ["//x", "/x"],
    ["/a/../../b", "/b"],
    ["/a/./b/", "/a/b/"],
    ["/a//b//", "/a/b/"],
    ["/caf\u00e9 (1)?*", "/caf%C3%A9%20%281%29%3F%2A"],
    ["/a:b;c=d,e+f@g$h&i", "/a:b;c=d,e+f@g$h&i"],
  ] as const)
    assert.equal(escapePath(cleanPath(path)), expected, path)
})

test("what leads to the target itself is led through the proxy", () => {
  const base = "/api/v1/namespaces/n/services/s/proxy"
  const target = { host: "10.0.0.9", port: 8080 }
  const rewrite = createRewrite(target, "127.0.0.1:6443", base)
  for (const [link, expected] of [
    ["/x/y/?a=b#c", `${base}/x/y/?a=b#c`],
    ["http://10.0.0.9:8080/x", `${base}/x`],
    ["http://10.0.0.9/x", "http://10.0.0.9/x"],
    ["https://127.0.0.1:6443/x", `https://127.0.0.1:6443${base}/x`],
    [`${base}/x`, `${base}/x`],
    ["https://example.com/x", "https://example.com/x"],
    ["x/y", "x/y"],
    ["#a", "#a"],
    ["?a=/b", "?a=/b"],
    ["mailto:a@b", "mailto:a@b"],
    ["", ""],
  ] as const)
    assert.equal(rewrite(link), expected, link)
})
