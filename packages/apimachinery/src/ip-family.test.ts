import assert from "node:assert/strict"
import { test } from "node:test"
import { holds, overlap, readPort, type NetworkText } from "./host-text.ts"
import { addressAndPort, addressInName, familyOf, ipFamilies, ipv4, ipv6 } from "./ip-family.ts"

test("each family reads what is its own, in canonical form", () => {
  const cases: [string, string | undefined, string | undefined][] = [
    ["10.0.0.1", "10.0.0.1", undefined],
    ["::ffff:10.0.0.1", "10.0.0.1", undefined],
    ["FD00:0::1", undefined, "fd00::1"],
    ["::", undefined, "::"],
    ["fe80::1%eth0", undefined, undefined],
    ["x", undefined, undefined],
  ]
  for (const [text, v4, v6] of cases)
    assert.deepEqual([ipv4.readAddress(text), ipv6.readAddress(text)], [v4, v6], text)
  const networks: [string, string | undefined, string | undefined][] = [
    ["10.1.2.3/8", "10.0.0.0/8", undefined],
    [" fd00:1:2::9/48", undefined, "fd00:1:2::/48"],
    ["::/0", undefined, "::/0"],
    ["::ffff:10.0.0.0/104", undefined, undefined],
    ["fd00::/129", undefined, undefined],
    ["fd00::", undefined, undefined],
  ]
  for (const [text, v4, v6] of networks)
    assert.deepEqual([ipv4.readNetwork(text), ipv6.readNetwork(text)], [v4, v6], text)
})

test("networks of two families hold nothing of each other", () => {
  const network = (text: string): NetworkText => ipFamilies.flatMap((one) => one.readNetwork(text) ?? [])[0]!
  const cases: [string, string, boolean, boolean][] = [
    ["fd00:10::/32", "fd00:10:244::/48", true, true],
    ["fd00:10:244::/48", "fd00:10::/32", false, true],
    ["fd00:10:244::/47", "fd00:10:245::/48", true, true],
    ["fd00:10:244::/48", "fd00:10:245::/48", false, false],
    ["::/0", "ffff::/16", true, true],
    ["::/0", "10.0.0.0/8", false, false],
    ["0.0.0.0/0", "::/0", false, false],
  ]
  for (const [a, b, held, shared] of cases) {
    assert.equal(holds(network(a), network(b)), held, `${a} ${b}`)
    assert.equal(overlap(network(a), network(b)), shared, `${a} ${b}`)
  }
  const address = ipv6.readAddress("fd00:10:244::7")!
  assert.equal(holds(network("fd00:10:244::/64"), address), true)
  assert.equal(holds(network("10.0.0.0/8"), address), false)
})

test("addresses are written as programs and names take them", () => {
  const port = readPort(80)!
  const [four, six] = [ipv4.readAddress("10.0.0.1")!, ipv6.readAddress("fd00::1")!]
  assert.deepEqual([familyOf(four), familyOf(six)], [ipv4, ipv6])
  assert.deepEqual([addressAndPort(four, port), addressAndPort(six, port)], ["10.0.0.1:80", "[fd00::1]:80"])
  assert.deepEqual([addressInName(four), addressInName(six)], ["10.0.0.1", "fd00..1"])
})
