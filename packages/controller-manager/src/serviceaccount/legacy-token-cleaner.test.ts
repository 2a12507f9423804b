import assert from "node:assert/strict"
import { test } from "node:test"
import type { Secret } from "@knarr/api"
import { verdictOn } from "./legacy-token-cleaner.controller.ts"

const now = Date.parse("2026-06-15T12:00:00Z")

test("a token that nobody used for a year is marked, and goes a year later", () => {
  for (const [created, labels, verdict] of [
    ["2025-06-15T11:59:59Z", {}, "mark"],
    ["2025-06-15T12:00:00Z", {}, "keep"],
    ["2020-01-01T00:00:00Z", { "last-used": "2025-06-15" }, "keep"],
    ["2020-01-01T00:00:00Z", { "last-used": "2025-06-14" }, "mark"],
    ["2020-01-01T00:00:00Z", { "last-used": "never" }, "keep"],
    ["2020-01-01T00:00:00Z", { "invalid-since": "2025-06-15" }, "keep"],
    ["2020-01-01T00:00:00Z", { "invalid-since": "2025-06-14" }, "delete"],
    ["2020-01-01T00:00:00Z", { "invalid-since": "soon" }, "mark"],
  ] as const) {
    const named = Object.entries(labels).map(([key, value]) => [`kubernetes.io/legacy-token-${key}`, value])
    const metadata = { name: "s", creationTimestamp: created, labels: Object.fromEntries(named) }
    const object = { apiVersion: "v1", kind: "Secret", metadata } as unknown as Secret
    assert.equal(verdictOn(object, now), verdict, `${created} ${JSON.stringify(labels)}`)
  }
})
