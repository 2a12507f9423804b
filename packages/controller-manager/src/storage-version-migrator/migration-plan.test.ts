import assert from "node:assert/strict"
import { describe, it } from "node:test"
import type { storagemigrationV1 } from "@knarr/api"
import { nextStep, runningMessage } from "./migration-plan.ts"

type Migration = storagemigrationV1.StorageVersionMigration

function migration(name: string, second: number, conditions: string, resourceVersion?: string): Migration {
  const [resource = "", group = ""] = "widgets.example.com".split(/\.(.*)/)
  return {
    apiVersion: "storagemigration.k8s.io/v1",
    kind: "StorageVersionMigration",
    metadata: { name, creationTimestamp: `2026-01-01T00:00:0${second}Z`, uid: name, resourceVersion: "1" },
    spec: { resource: { group, resource } },
    status: {
      resourceVersion,
      conditions: conditions
        .split(" ")
        .flatMap((type) =>
          type === "" ? [] : [{ type, status: "True", reason: type, message: "", lastTransitionTime: "" }],
        ),
    },
  }
}

describe("The next step of a migration", () => {
  const other: Migration = {
    ...migration("other", 0, "Running"),
    spec: { resource: { group: "", resource: "widgets" } },
  }
  const cases: readonly (readonly [what: string, one: Migration, others: Migration[], step: string])[] = [
    ["is to start when it is alone", migration("a", 1, ""), [other], "start"],
    ["is to wait for one that runs", migration("a", 1, ""), [migration("b", 2, "Running")], "wait"],
    ["is to wait for an older one", migration("b", 2, ""), [migration("a", 1, "")], "wait"],
    ["is to wait for one of the same age by name", migration("b", 1, ""), [migration("a", 1, "")], "wait"],
    ["is to start before a younger one", migration("b", 1, ""), [migration("a", 2, "")], "start"],
    [
      "is to wait for one that has ended and not settled",
      migration("b", 2, ""),
      [migration("a", 1, "Running Failed")],
      "wait",
    ],
    [
      "is to start after one that has ended",
      migration("b", 2, ""),
      [migration("a", 1, "Succeeded")],
      "start",
    ],
    ["is to note the revision", migration("a", 1, "Running"), [migration("b", 0, "")], "record"],
    ["is to write objects anew", migration("a", 1, "Running", "7"), [], "migrate"],
    ["is to settle when it succeeded", migration("a", 1, "Running Succeeded", "7"), [], "settle"],
    ["is to settle when it failed", migration("a", 1, "Running Failed"), [], "settle"],
    ["is nothing when all is done", migration("a", 1, "Failed"), [], "nothing"],
  ]
  for (const [what, one, others, step] of cases)
    it(what, () => assert.equal(nextStep(one, [...others, one]), step))
})

describe("What a running migration says", () => {
  const cases: readonly (readonly [
    left: number,
    total: number,
    transient: string | undefined,
    text: string,
  ])[] = [
    [0, 0, undefined, "The migration is running"],
    [0, 3, undefined, "The migration is running, 3 objects verified migrated"],
    [2, 3, undefined, "The migration is running, 2/3 objects not yet migrated"],
    [2, 3, "busy", "The migration is running, 2/3 objects not yet migrated; transient error: busy"],
  ]
  for (const [left, total, transient, text] of cases)
    it(text, () => assert.equal(runningMessage(left, total, transient), text))
})
