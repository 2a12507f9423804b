import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, it } from "node:test"
import { kinds } from "@knarr/api"
import type { CustomResourceDefinition, ExpressionWarning, ValidatingAdmissionPolicy } from "@knarr/api"
import { checkTypes, namesUnknown } from "./type-check.ts"

interface Recorded {
  readonly definition: CustomResourceDefinition
  readonly policies: readonly {
    readonly name: string
    readonly spec: ValidatingAdmissionPolicy["spec"]
    readonly warnings: readonly ExpressionWarning[]
  }[]
}

/** What the published controller manager wrote about these policies. */
const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, "testdata/type-checks.json"), "utf8"),
) as Recorded
const sources = { kinds, definitions: [recorded.definition] }

describe("the types of a policy's expressions", () => {
  for (const { name, spec, warnings } of recorded.policies)
    it(`are told of as upstream does: ${name}`, () => {
      const policy = { spec } as ValidatingAdmissionPolicy
      assert.deepEqual(checkTypes(policy, sources), warnings)
      assert.equal(namesUnknown(policy, sources), name === "unknown")
    })
})
