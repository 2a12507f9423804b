import assert from "node:assert/strict"
import { it } from "node:test"
import type { Pod } from "@knarr/api"
import { forbiddenSysctl } from "./sysctls.ts"

const messageOf = (name: string, spec: object = {}): string | undefined =>
  forbiddenSysctl({
    spec: { containers: [], securityContext: { sysctls: [{ name, value: "1" }] }, ...spec },
  } as unknown as Pod)?.message

it("allows only sysctls that harm nobody else", () => {
  assert.equal(messageOf("kernel.shm_rmid_forced"), undefined)
  assert.equal(messageOf("net/ipv4/ip_local_port_range"), undefined)
  assert.equal(messageOf("kernel.msgmax"), 'forbidden sysctl: "kernel.msgmax" not allowlisted')
  assert.equal(
    messageOf("net.ipv4.tcp_syncookies", { hostNetwork: true }),
    'forbidden sysctl: "net.ipv4.tcp_syncookies" not allowed with host Net enabled',
  )
  assert.equal(
    messageOf("kernel.shm_rmid_forced", { hostIPC: true }),
    'forbidden sysctl: "kernel.shm_rmid_forced" not allowed with host IPC enabled',
  )
})
