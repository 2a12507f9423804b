import assert from "node:assert/strict"
import { test } from "node:test"
import { seededRandom } from "@knarr/base"
import { fnv1a32, generateName, safeEncodeString } from "./generate-name.ts"
import { formatIP, isValidCIDR, isValidIP, networkContains, parseCIDR, parseIP, warningsForIP } from "./ip.ts"
import * as names from "./names.ts"

test("names", () => {
  const good: [(value: string) => string[], string[]][] = [
    [names.isDNS1123Label, ["a", "0", "a-b", "a".repeat(63)]],
    [names.isDNS1123Subdomain, ["a.b", "0.a", "a".repeat(253)]],
    [names.isDNS1035Label, ["a", "a-1"]],
    [names.isQualifiedName, ["a", "A_b.c", "example.com/a", "1.2.3.4/5"]],
    [names.isValidLabelValue, ["", "A", "a".repeat(63)]],
    [names.isValidPortName, ["http", "a-1"]],
    [names.isEnvVarName, ["A", "_a.b-c"]],
    [names.isConfigMapKey, ["a", ".a", "A_b"]],
    [names.isPathSegmentName, ["system:node", "a b"]],
  ]
  for (const [check, values] of good) {
    for (const value of values) assert.deepEqual(check(value), [], `${check.name} ${value}`)
  }
  assert.deepEqual(names.isDNS1123Label("A"), [
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end " +
      "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is " +
      "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
  ])
  assert.deepEqual(names.isDNS1123Label("a.b"), ["must not contain dots"])
  assert.deepEqual(names.isDNS1123Label("a".repeat(64)), ["must be no more than 63 characters"])
  assert.deepEqual(names.isQualifiedName("a".repeat(64)), ["name part must be no more than 63 bytes"])
  assert.deepEqual(names.isQualifiedName("/a"), ["prefix part must be non-empty"])
  assert.deepEqual(names.isValidPortNum(0), ["must be between 1 and 65535, inclusive"])
  assert.deepEqual(names.isConfigMapKey(".."), ["must not be '..'"])
  assert.deepEqual(names.isPathSegmentName("a/b"), ["may not contain '/'"])
  assert.deepEqual(names.nameIsDNSSubdomain("a-", true), [])
  assert.equal(names.isDNS1123Subdomain("a\n").length, 1)
})

test("made-up names", () => {
  const name = generateName("a".repeat(70), seededRandom(1))
  assert.match(name, /^a{58}[bcdfghjklmnpqrstvwxz2456789]{5}$/)
  assert.equal(fnv1a32("foobar"), 0xbf9cf968)
  assert.equal(safeEncodeString("0123456789"), "456789bcdf")
})

test("addresses", () => {
  const canonical: Record<string, string> = {
    "1.2.3.4": "1.2.3.4",
    "01.2.3.4": "1.2.3.4",
    "2001:DB8:0:0:1:0:0:1": "2001:db8::1:0:0:1",
    "::": "::",
    "::1": "::1",
    "1::": "1::",
    "1:0:2:0:3:0:4:0": "1:0:2:0:3:0:4:0",
    "::ffff:1.2.3.4": "1.2.3.4",
    "64:ff9b::1.2.3.4": "64:ff9b::102:304",
  }
  for (const [text, out] of Object.entries(canonical)) assert.equal(formatIP(parseIP(text)!), out, text)
  for (const bad of [
    "",
    "1.2.3",
    "1.2.3.256",
    "1::2::3",
    "12345::",
    ":1",
    "1:2:3:4:5:6:7:8:9",
    "::1%eth0",
    "1:2:3:4:5:6:7::8:9",
  ]) {
    assert.equal(parseIP(bad), undefined, bad)
  }
  assert.deepEqual(isValidIP("2001:DB8::1"), ['must be in canonical form ("2001:db8::1")'])
  assert.deepEqual(isValidIP("01.2.3.4"), ["must not have leading 0s"])
  assert.deepEqual(isValidCIDR("10.0.0.1/8"), ["must not have bits set beyond the prefix length"])
  assert.deepEqual(isValidCIDR("10.0.0.0/8"), [])
  assert.deepEqual(isValidCIDR("10.0.0.0/33"), [
    "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
  ])
  assert.ok(networkContains(parseCIDR("10.96.0.0/12")!, parseIP("10.111.255.255")!))
  assert.ok(!networkContains(parseCIDR("10.96.0.0/12")!, parseIP("10.112.0.0")!))
  assert.deepEqual(warningsForIP("p", "2001:DB8::1"), [
    'p: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")',
  ])
})
