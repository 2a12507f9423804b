import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { CertificateSigningRequest } from "@knarr/api"
import { createCA } from "@knarr/base"
import { isOutdated } from "./request-age.ts"

const hourMs = 3_600_000
const nowMs = Date.UTC(2026, 0)
const ago = (hours: number): string => new Date(nowMs - hours * hourMs).toISOString()
const certificate = (endsInHours: number): string =>
  Buffer.from(
    createCA({
      subject: { commonName: "a" },
      serial: new Uint8Array([1]),
      notBeforeMs: nowMs - 100 * hourMs,
      notAfterMs: nowMs + endsInHours * hourMs,
    }).cert,
  ).toString("base64")

describe("A request is deleted", () => {
  const cases: readonly (readonly [
    what: string,
    age: number,
    condition: string,
    certificate: string,
    outdated: boolean,
  ])[] = [
    ["not when it waits for less than a day", 23, "", "", false],
    ["when it waits for more than a day", 25, "", "", true],
    ["not within an hour of its denial", 0.9, "Denied", "", false],
    ["an hour after its denial", 1.1, "Denied", "", true],
    ["an hour after its failure", 1.1, "Failed", "", true],
    ["not within a day of an approval that nobody followed", 23, "Approved", "", false],
    ["a day after an approval that nobody followed", 25, "Approved", "", true],
    ["not within an hour of what was issued", 0.9, "Approved", certificate(1), false],
    ["an hour after it was issued", 1.1, "Approved", certificate(1), true],
    ["when its certificate has ended", 0.9, "Approved", certificate(-0.1), true],
    ["not for what others say of it", 25, "Other", "", false],
  ]
  for (const [what, age, type, issued, outdated] of cases)
    it(what, () => {
      const conditions = type === "" ? [] : [{ type, status: "True", lastUpdateTime: ago(age) }]
      const metadata = { name: "a", creationTimestamp: ago(age) }
      const request = { metadata, spec: {}, status: { conditions, certificate: issued } }
      assert.equal(isOutdated(request as unknown as CertificateSigningRequest, nowMs), outdated)
    })
})
