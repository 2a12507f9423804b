import assert from "node:assert/strict"
import { test } from "node:test"
import type { IPAddress, ServiceCIDR } from "@knarr/api"
import { canBeDeleted, containing, overlapping } from "./networks.ts"

const range = (name: string, ...cidrs: string[]): ServiceCIDR =>
  ({ metadata: { name }, spec: { cidrs } }) as unknown as ServiceCIDR
const address = (name: string, by = "ipallocator.k8s.io"): IPAddress =>
  ({
    metadata: { name, labels: { "ipaddress.kubernetes.io/managed-by": by } },
  }) as unknown as IPAddress
const names = (ranges: readonly Readonly<ServiceCIDR>[]): string[] =>
  ranges.map(({ metadata }) => metadata.name)

const all = [
  range("big", "10.0.0.0/16"),
  range("small", "10.0.1.0/24"),
  range("both", "192.168.0.0/24", "2001:db8::/64"),
  range("far", "172.16.0.0/12"),
]

test("ranges overlap by either family", () => {
  assert.deepEqual(names(overlapping(range("x", "10.0.1.128/25"), all)), ["big", "small"])
  assert.deepEqual(names(overlapping(range("x", "11.0.0.0/8", "2001:db8::/96"), all)), ["both"])
  assert.deepEqual(names(overlapping(range("x", "1.0.0.0/8"), all)), [])
})

test("a range holds the addresses that it gives", () => {
  for (const [name, holders] of [
    ["10.0.1.5", ["big", "small"]],
    ["10.0.1.0", ["big"]],
    ["10.0.1.255", ["big"]],
    ["10.0.0.0", []],
    ["10.0.255.255", []],
    ["2001:db8::1", ["both"]],
    ["2001:db8::", []],
  ] as const)
    assert.deepEqual(names(containing(address(name), all)), holders, name)
  assert.deepEqual(containing(address("10.0.1.5", "me"), all), [])
})

test("a range goes when no address would be left without one", () => {
  const [big, small, both, far] = all as [ServiceCIDR, ServiceCIDR, ServiceCIDR, ServiceCIDR]
  for (const [of, addresses, gone] of [
    [small, ["10.0.1.5"], true],
    [big, [], true],
    [big, ["10.0.1.5"], true],
    [big, ["10.0.1.5", "10.0.2.5"], false],
    [both, ["2001:db8::1"], false],
    [both, ["10.0.2.5"], true],
    [far, ["172.17.0.1"], false],
  ] as const)
    assert.equal(
      canBeDeleted(
        of,
        all,
        addresses.map((name) => address(name)),
      ),
      gone,
      `${of.metadata.name} with ${addresses.join()}`,
    )
  assert.equal(canBeDeleted(far, [...all, range("same", "172.16.0.0/12")], [address("172.17.0.1")]), true)
})
