import assert from "node:assert/strict"
import { test } from "node:test"
import { defaultRanges, type ClusterConfig } from "./cluster-home.ts"
import { servedAt, serverAddresses } from "./server-addresses.ts"

const config = (hasNode: boolean, apiServer: Record<string, string>): ClusterConfig => ({
  ...defaultRanges(0),
  ...{ name: "a", index: 0, port: 6443, registryPort: 5000, agents: 0, hasNode, apiServer },
})

const cases: readonly [
  hasNode: boolean,
  flags: Record<string, string>,
  bound: readonly string[],
  advertised: string | undefined,
][] = [
  [false, {}, ["127.0.0.1"], undefined],
  [true, {}, ["127.0.0.1", "10.89.0.1"], "10.89.0.1"],
  [false, { "bind-address": "192.0.2.1" }, ["127.0.0.1", "192.0.2.1"], "192.0.2.1"],
  [false, { "bind-address": "127.0.0.1" }, ["127.0.0.1"], "127.0.0.1"],
  [true, { "bind-address": "192.0.2.1" }, ["127.0.0.1", "10.89.0.1", "192.0.2.1"], "192.0.2.1"],
  [false, { "bind-address": "0.0.0.0" }, ["0.0.0.0"], undefined],
  [true, { "bind-address": "::" }, ["::"], "10.89.0.1"],
  [false, { "bind-address": "0.0.0.0", "advertise-address": "192.0.2.9" }, ["0.0.0.0"], "192.0.2.9"],
  [true, { "advertise-address": "192.0.2.9" }, ["127.0.0.1", "10.89.0.1"], "192.0.2.9"],
]

for (const [hasNode, flags, bound, advertised] of cases)
  test(`a server ${hasNode ? "with" : "without"} a node, given ${JSON.stringify(flags)}, is reached at ${advertised ?? "its loopback"}`, () => {
    const { bindAddresses, advertise } = servedAt(config(hasNode, flags))
    assert.deepEqual(bindAddresses, bound)
    assert.deepEqual(advertise, advertised === undefined ? undefined : { address: advertised, port: 6443 })
    const { ipAddresses } = serverAddresses(config(hasNode, flags))
    assert.equal(new Set(ipAddresses).size, ipAddresses.length)
    for (const address of ["127.0.0.1", "10.96.0.1", ...(advertised === undefined ? [] : [advertised])])
      assert.ok(ipAddresses.includes(address), address)
  })
