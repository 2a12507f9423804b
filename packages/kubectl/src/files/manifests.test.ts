import assert from "node:assert/strict"
import { test } from "node:test"
import { parseManifest } from "./manifests.ts"

const read = async (text: string): Promise<unknown> => {
  try {
    return (await parseManifest({ name: "STDIN", text })).map(({ object }) => object)
  } catch (thrown) {
    return (thrown as Error).message
  }
}

test("What is no text is no kind, version or item", async () => {
  const pod = { kind: "Pod", apiVersion: "v1" }
  const cases: readonly (readonly [value: unknown, expected: unknown])[] = [
    [{ kind: { a: 1 }, apiVersion: "v1" }, /^unable to decode "STDIN": Object 'Kind' is missing in '/],
    [{ kind: 1 }, /Object 'Kind' is missing/],
    [{ kind: "", apiVersion: "v1" }, /Object 'Kind' is missing/],
    [{ ...pod, apiVersion: ["v1"] }, [{ ...pod, apiVersion: "" }]],
    [{ kind: "List", apiVersion: "v1", items: [pod, null] }, /json: cannot unmarshal object into Go value/],
    [{ kind: "List", apiVersion: "v1", items: [1] }, /json: cannot unmarshal number into Go value/],
    [{ kind: "List", apiVersion: "v1", items: { a: 1 } }, []],
    [{ kind: "PodList", apiVersion: "v1", items: [{}, pod] }, [pod, pod]],
  ]
  for (const [value, expected] of cases) {
    const got = await read(JSON.stringify(value))
    if (expected instanceof RegExp) assert.match(String(got), expected)
    else assert.deepEqual(got, expected)
  }
})
