/**
 * Writes beside what the published release answered to them (testdata/answers, recorded by
 * tools/reference/record-answers.ts): codes, causes in their order, warnings, and what became of some fields.
 */
import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, test } from "node:test"
import { StatusError, applyMergePatch, type Kind, type KubeObject } from "@knarr/apimachinery"
import { createLoopbackClient } from "../loopback-client.ts"
import { acceptance, refusal, type Answer } from "./answers.scenario.ts"
import { allKinds, startTestRegistry, type TestRegistry } from "./testing.ts"

interface Case {
  readonly name: string
  /** The verb: `create` sends the base with the merge patch; the others change an object made from the base. */
  readonly create?: unknown
  readonly update?: unknown
  readonly status?: unknown
  /** Merge patches of the status, and then of the object, before the case. */
  readonly first?: { readonly status?: unknown; readonly update?: unknown }
  /** The release walks through a map here, in any order. */
  readonly unordered?: boolean
  /** Fields of the answer to look at, as dotted paths. */
  readonly show?: readonly string[]
  readonly answer: Answer
}

interface Table {
  readonly base: KubeObject
  readonly cases: readonly Case[]
}

const folder = join(import.meta.dirname, "testdata/answers")

/** Values that are structs are printed by Go's internal names there, and are not compared. */
function withoutStructs(answer: Answer): Answer {
  if (!answer.causes) return answer
  const causes = answer.causes.map((cause) =>
    cause.replace(/: Invalid value: (?:\{.*\}|\[.*\])(: |$)/s, ": Invalid value: {}$1"),
  )
  return { ...answer, causes }
}

/** As it is compared: without what has no order, or no value of its own. */
function comparable(answer: Answer, { unordered }: Case): unknown {
  const { causes, warnings, ...rest } = withoutStructs(answer)
  const list = (lines: readonly string[]): readonly string[] => (unordered ? [...lines].sort() : lines)
  return JSON.parse(
    JSON.stringify({
      ...rest,
      ...(causes ? { causes: list(causes) } : {}),
      ...(warnings ? { warnings: list(warnings) } : {}),
    }),
  )
}

function merged(object: KubeObject, patch: unknown): KubeObject {
  return applyMergePatch(object, patch) as unknown as KubeObject
}

async function ask(t: TestRegistry, kind: Kind, base: KubeObject, one: Case): Promise<Answer> {
  const warnings: string[] = []
  const client = createLoopbackClient({
    registry: t.registry,
    user: { name: "admin", groups: ["system:masters", "system:authenticated"] },
    userAgent: "test/1.0",
    onWarning: (text) => warnings.push(text),
  })
  const metadata = { ...base.metadata, ...(kind.namespaced ? { namespace: "default" } : {}) }
  const whole = { ...base, metadata } as KubeObject
  const isCreate = "create" in one
  try {
    let obj: KubeObject
    if (isCreate) obj = await client.create(kind, merged(whole, one.create))
    else {
      let made: KubeObject = await client.create(kind, whole)
      if (one.first && "status" in one.first)
        made = await client.update(kind, merged(made, { status: one.first.status }), {
          subresource: "status",
        })
      if (one.first && "update" in one.first) made = await client.update(kind, merged(made, one.first.update))
      warnings.length = 0
      const onStatus = "status" in one
      const next = merged(made, onStatus ? one.status : one.update)
      obj = await client.update(kind, next, onStatus ? { subresource: "status" } : {})
    }
    return acceptance(isCreate ? 201 : 200, obj, warnings, one.show)
  } catch (thrown) {
    if (!(thrown instanceof StatusError)) throw thrown
    return refusal(thrown.code, thrown.status)
  }
}

for (const file of readdirSync(folder)) {
  const tables = JSON.parse(readFileSync(join(folder, file), "utf8")) as Readonly<Record<string, Table>>
  for (const [title, { base, cases }] of Object.entries(tables)) {
    describe(`Answers about ${title}`, () => {
      const kind = allKinds.find(
        ({ kind, apiVersion }) => kind === base.kind && apiVersion === base.apiVersion,
      )!
      for (const one of cases) {
        test(one.name, async () => {
          await using t = await startTestRegistry({ kinds: [kind] })
          const { answer } = one
          const mine = await ask(t, kind, base, one)
          const shown =
            answer.shown &&
            Object.fromEntries(Object.keys(answer.shown).map((path) => [path, mine.shown?.[path]]))
          assert.deepEqual(comparable({ ...mine, ...(shown ? { shown } : {}) }, one), comparable(answer, one))
        })
      }
    })
  }
}
