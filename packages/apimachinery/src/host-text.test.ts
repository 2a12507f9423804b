import assert from "node:assert/strict"
import { test } from "node:test"
import {
  addressIn,
  holds,
  ipv4Network,
  joined,
  line,
  linkName,
  nameText,
  overlap,
  readAddress,
  readHostName,
  readIPv4,
  readIPv4Network,
  readPort,
  readProtocol,
} from "./host-text.ts"

/** What objects of the API may say where an address belongs. */
const hostile = [
  "",
  " ",
  "10.89.2.99\nnetns add x",
  "10.89.2.99\0",
  "10.0.0.1 return; add table ip pwn",
  "localhost",
  "localhost.",
  "zz.",
  "2130706433",
  "0x7f.1",
  "127.1",
  "1.2.3",
  "1.2.3.4.5",
  "256.1.1.1",
  "-1.2.3.4",
  "+1.2.3.4",
  "1.2.3.4/24",
  "1.2.3.4 ",
  " 1.2.3.4",
  "１.2.3.4",
  "garbage!",
  "$(id)",
  "9".repeat(100_000),
]

test("Only addresses are addresses", () => {
  for (const text of hostile) {
    assert.equal(readIPv4(text), undefined, text.slice(0, 40))
    assert.equal(readAddress(text), undefined, text.slice(0, 40))
  }
  const cases: [string, string | undefined, string | undefined][] = [
    ["1.2.3.4", "1.2.3.4", "1.2.3.4"],
    ["0.0.0.0", "0.0.0.0", "0.0.0.0"],
    ["010.2.3.4", "10.2.3.4", "10.2.3.4"],
    ["::ffff:1.2.3.4", "1.2.3.4", "1.2.3.4"],
    ["::", undefined, "::"],
    ["FD00::0:1", undefined, "fd00::1"],
    ["fe80::1%eth0", undefined, undefined],
  ]
  for (const [text, v4, any] of cases) {
    assert.equal(readIPv4(text), v4, text)
    assert.equal(readAddress(text), any, text)
  }
})

test("Networks, ports, protocols and names are parsed or refused", () => {
  const networks: [string, string | undefined][] = [
    ["10.0.0.0/8", "10.0.0.0/8"],
    ["10.1.2.3/8", "10.0.0.0/8"],
    [" 10.0.0.0/8", "10.0.0.0/8"],
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["10.0.0.0/33", undefined],
    ["10.0.0.0/8 dev lo", undefined],
    ["10.0.0.0", undefined],
    ["fd00::/8", undefined],
    ["default", undefined],
  ]
  for (const [text, expected] of networks) assert.equal(readIPv4Network(text), expected, text)
  for (const value of [0, -1, 65_536, 1.5, Number.NaN, undefined]) assert.equal(readPort(value), undefined)
  assert.equal(readPort(443), 443)
  assert.equal(readProtocol(undefined), "tcp")
  assert.equal(readProtocol("UDP"), "udp")
  assert.equal(readProtocol("tcp; drop"), undefined)
  for (const text of ["a b", "a;b", "a\nb", "", "-x", "x".repeat(300), "../x"]) {
    assert.throws(() => linkName(text), RangeError, text)
    assert.throws(() => nameText(text), RangeError, text)
    assert.equal(readHostName(text), undefined, text)
  }
  assert.throws(() => linkName("x".repeat(16)), RangeError)
})

test("Lines are made of words, and the compiler takes no other string", () => {
  const network = ipv4Network("10.244.0.0/16")
  assert.equal(line`route delete ${network} proto ${89}`, "route delete 10.244.0.0/16 proto 89")
  assert.equal(joined([addressIn(network, 1), addressIn(network, 258)], ", "), "10.244.0.1, 10.244.1.2")
  // @ts-expect-error a string that nobody has looked at
  assert.ok(line`route delete ${String(network)}`)
  // @ts-expect-error the same, in a list
  assert.ok(joined([String(network)], ", "))
  assert.throws(() => line`${-1}`, RangeError)
  assert.throws(() => line`${Number.NaN}`, RangeError)
  assert.throws(() => addressIn(network, 65_536), RangeError)
})

test("Networks know what they hold and what they share", () => {
  const cases: [string, string, boolean, boolean][] = [
    ["10.244.0.0/16", "10.244.3.0/24", true, true],
    ["10.244.3.0/24", "10.244.0.0/16", false, true],
    ["10.244.0.0/16", "10.245.0.0/24", false, false],
    ["0.0.0.0/0", "255.255.255.255/32", true, true],
    ["192.168.0.0/16", "0.0.0.0/0", false, true],
  ]
  for (const [a, b, held, shared] of cases) {
    assert.equal(holds(ipv4Network(a), ipv4Network(b)), held, `${a} ${b}`)
    assert.equal(overlap(ipv4Network(a), ipv4Network(b)), shared, `${a} ${b}`)
  }
})
