import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { readClientModel, readTypesModule } from "./sources.ts"

describe("client-node models", () => {
  const header =
    "/**\n * Kubernetes\n *\n * Do not edit the class manually.\n */\nimport { V1Cup } from './V1Cup.js';\n"
  const model = (body: string): string =>
    `${header}/**\n* Kettle boils water.\n*/\nexport declare class V1Kettle {\n${body}\n    static readonly discriminator: string | undefined;\n}\n`
  const field = (name: string, text: string): string =>
    `    /**\n    * ${text}\n    */\n    '${name}'?: string;\n`

  it("have texts of the type and of fields", () => {
    const body = `    'cup'?: V1Cup;\n${field("litres", "How much.")}${field("_continue", "Goes on.")}`
    assert.deepEqual(readClientModel(model(body)), {
      "": "Kettle boils water.",
      litres: "How much.",
      _continue: "Goes on.",
    })
  })

  const cases: readonly (readonly [written: string, meant: string])[] = [
    [String.raw`the pod\'s \"name\"`, `the pod's "name"`],
    [String.raw`a back\\slash and \\\"quoted\\\"`, String.raw`a back\slash and \"quoted\"`],
    ["pods/_* and *_/scale and *_/_*", "pods/* and */scale and */*"],
    ["&lt;name&gt; &amp;&amp; &#39;x&#39;", "<name> && 'x'"],
    ["two  spaces  stay", "two  spaces  stay"],
  ]
  for (const [written, meant] of cases)
    it(`undo ${JSON.stringify(written)}`, () => {
      assert.equal(readClientModel(model(field("x", written)))["x"], meant)
    })
})

it("reads modules of kubernetes-types", () => {
  const types = readTypesModule(`import { Time } from "../meta/v1";
/** Cup holds a drink. */
export interface Cup {
    /** How big. */
    readonly size?: number;
    plain?: string;
    /**
     * The label:
     *
     *   - one
     *   - two
     */
    "x-label"?: {
        [name: string]: string;
    };
}
export interface Bare {
    /** When. */
    time: Time;
}
/** Text is a text. */
export type Text = string;
`)
  assert.deepEqual(Object.fromEntries(types), {
    Cup: { "": "Cup holds a drink.", size: "How big.", "x-label": "The label:\n\n  - one\n  - two" },
    Bare: { time: "When." },
    Text: { "": "Text is a text." },
  })
})
