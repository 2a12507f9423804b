/** What Kubernetes' own CEL said to testdata/cases.json (renewed by tools/cel/facts.ts): issues, types, costs, values and errors. */
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { gunzipSync } from "node:zlib"
import {
  CelEnvironment,
  CelIssues,
  CelList,
  CelMap,
  CelType,
  Double,
  Duration,
  Optional,
  PlanProblem,
  Timestamp,
  Uint,
  declTypeOf,
  dynType,
  intType,
  listOf,
  mapOf,
  optionalOf,
  schemaValue,
  sizesOf,
  stringType,
  timestampType,
  type CelSchema,
  type SizeOf,
  type Value,
} from "./index.ts"
import { formatDouble } from "./run/convert.ts"
import { formatTimestamp } from "./run/time.ts"

interface Recorded {
  self?: string
  expr: string
  limit?: number
  issues?: string
  type?: string
  min?: string
  max?: string
  plan?: string
  error?: string
  value?: unknown
  cost?: number
}

const folder = join(import.meta.dirname, "../testdata")
const recorded = JSON.parse(gunzipSync(readFileSync(join(folder, "golden.json.gz"))).toString()) as Recorded[]
const { schemas, objects } = JSON.parse(readFileSync(join(folder, "cases.json"), "utf8")) as {
  schemas: Record<string, CelSchema>
  objects: Record<string, { schema: string; value: unknown }>
}

interface Setting {
  environment: CelEnvironment
  variables: Record<string, unknown>
  sizeOf: SizeOf
}

const bare: Setting = {
  environment: new CelEnvironment({
    variables: {
      x: { type: dynType },
      i: { type: intType },
      s: { type: stringType },
      l: { type: listOf(intType) },
      m: { type: mapOf(stringType, dynType) },
      t: { type: timestampType },
      o: { type: optionalOf(stringType) },
      absent: { type: stringType },
    },
  }),
  variables: {
    x: { a: 1, b: ["x", "y"], n: null, s: "text" },
    i: 42,
    s: "hello",
    l: [3, 1, 2],
    m: { k: "v", n: 7 },
    t: new Timestamp(1700000000, 5000000),
    o: new Optional("some"),
  },
  sizeOf: () => undefined,
}

function settingOf(name: string): Setting {
  const { schema: schemaName, value } = objects[name]!
  const schema = schemas[schemaName]!
  const type = declTypeOf(schema, "selfType", true)!
  const resource = { ...schema, "x-kubernetes-embedded-resource": true }
  const read = (raw: unknown): Value => schemaValue(raw, resource)
  return {
    environment: new CelEnvironment({
      types: [type],
      variables: {
        self: { type: type.cel, read },
        oldSelf: { type: type.cel, read },
        optSelf: { type: optionalOf(type.cel), read: (raw) => new Optional(read(raw)) },
      },
    }),
    variables: { self: value, oldSelf: value, optSelf: value },
    sizeOf: sizesOf(type),
  }
}

const settings = new Map<string | undefined, Setting>([[undefined, bare]])
for (const name of Object.keys(objects)) settings.set(name, settingOf(name))

/** As Go prints types outside of messages. */
function goType({ name, params }: CelType): string {
  return params.length === 0 ? name : `${name}(${params.map(goType).join(", ")})`
}

function goDuration(nanos: bigint): string {
  if (nanos === 0n) return "0s"
  const sign = nanos < 0n ? "-" : ""
  const size = nanos < 0n ? -nanos : nanos
  const small = (
    [
      [1n, "ns"],
      [1000n, "µs"],
      [1000000n, "ms"],
    ] as const
  ).findLast(([unit]) => size >= unit)!
  if (size < 1000000000n) return `${sign}${Number(size) / Number(small[0])}${small[1]}`
  const hours = size / 3600000000000n
  const minutes = (size / 60000000000n) % 60n
  return (
    sign +
    (hours > 0n ? `${hours}h` : "") +
    (size >= 60000000000n ? `${minutes}m` : "") +
    `${Number(size % 60000000000n) / 1e9}s`
  )
}

/** As tools/cel/golden.go writes values. */
function plain(value: Value): unknown {
  if (value === null) return ["null"]
  if (typeof value === "number" || typeof value === "bigint") return ["int", String(value)]
  if (typeof value !== "object") return [typeof value === "string" ? "string" : "bool", value]
  if (value instanceof Uint) return ["uint", String(value.value)]
  if (value instanceof Double) return ["double", formatDouble(value.value)]
  if (value instanceof Uint8Array) return ["bytes", Buffer.from(value).toString("base64")]
  if (value instanceof Timestamp) return ["timestamp", formatTimestamp(value)]
  if (value instanceof Duration) return ["duration", goDuration(value.nanos)]
  if (value instanceof CelType) return ["type", goType(value)]
  if (value instanceof Optional) return value.value === undefined ? ["none"] : ["some", plain(value.value)]
  if (value instanceof CelList)
    return ["list", Array.from({ length: value.size }, (_, i) => plain(value.get(i)))]
  if (value instanceof CelMap) {
    const entries = value.keys().map((key) => {
      const item = value.find(key)
      return [plain(key), item === undefined ? ["object", "error"] : plain(item)]
    })
    return ["map", entries.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))]
  }
  return ["object", "type" in value ? value.type.name : "error"]
}

function answer({ self, expr, limit }: Recorded): Recorded {
  const { environment, variables, sizeOf } = settings.get(self)!
  const said: Recorded = { ...(self !== undefined && { self }), expr, ...(limit !== undefined && { limit }) }
  const compiled = environment.compile(expr)
  if (compiled instanceof CelIssues) return { ...said, issues: compiled.toString() }
  const { min, max } = compiled.estimateCost(sizeOf)
  Object.assign(said, { type: goType(compiled.outputType), min: String(min), max: String(max) })
  try {
    const { value, error, cost } = compiled
      .program()
      .evaluate(variables, limit === undefined ? {} : { costLimit: limit })
    return { ...said, cost, ...(error === undefined ? { value: plain(value!) } : { error }) }
  } catch (problem) {
    if (!(problem instanceof PlanProblem)) throw problem
    return { ...said, plan: problem.message }
  }
}

/** The order of maps is chance in Go, and so is how Go names types in messages. */
function comparable(said: Recorded): Recorded {
  if (Array.isArray(said.value) && said.value[0] === "map") {
    const entries = said.value[1] as unknown[]
    return {
      ...said,
      value: ["map", entries.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))],
    }
  }
  return said
}

test("expressions are answered as Kubernetes answers them", () => {
  const different: { said: Recorded; wanted: Recorded }[] = []
  for (const wanted of recorded) {
    const said = answer(wanted)
    try {
      assert.deepEqual(comparable(said), comparable(wanted))
    } catch {
      different.push({ said, wanted })
    }
  }
  assert.deepEqual(different, [])
})
