import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { readClientClass, readModel } from "./sources.ts"

describe("classes of client-node", () => {
  const header =
    "/**\n * Kubernetes\n *\n * Do not edit the class manually.\n */\nimport { V1Cup } from './V1Cup.js';\n"
  const source = (body: string): string =>
    `${header}/**\n* Kettle boils water.\n*/\nexport declare class V1Kettle {\n${body}\n    static readonly discriminator: string | undefined;\n}\n`
  const field = (name: string, text: string): string =>
    `    /**\n    * ${text}\n    */\n    '${name}'?: string;\n`

  it("have texts of the type and of fields", () => {
    const body = `    'cup'?: V1Cup;\n${field("litres", "How much.")}${field("_continue", "Goes on.")}`
    assert.deepEqual(readClientClass(source(body)), {
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
      assert.equal(readClientClass(source(field("x", written)))["x"], meant)
    })
})

describe("modules of kubernetes-models", () => {
  it("have texts of the type and of fields, with their lines", () => {
    const source = `import { Model } from "@kubernetes-models/base";
/**
 * Cup holds a drink.
 */
export interface ICup extends TypeMeta {
    "kind": "Cup";
    /**
     * The label:
     *
     *   - one
     *   - two
     */
    "x-label"?: {
        [key: string]: string;
    };
    /**
     * '\\*\\/scale' and a \\"quote\\"
     */
    "rules": Array<string>;
}
/**
 * Cup holds a drink.
 */
declare class Cup extends Model<ICup> implements ICup {
    "rules": Array<string>;
}
export type { ICup as IIoK8sApiKitchenV1Cup, Cup as IoK8sApiKitchenV1Cup };
`
    assert.deepEqual(readModel(source), {
      name: "IoK8sApiKitchenV1Cup",
      texts: {
        "": "Cup holds a drink.",
        "x-label": "The label:\n\n  - one\n  - two",
        rules: String.raw`'*/scale' and a \"quote\"`,
      },
    })
  })

  it("have texts of types that are no objects, without marks for editors", () => {
    const source = `/**
 * Time is a time.
 * @deprecated
 */
export type ITime = string;
export type { ITime as IIoK8sMetaV1Time, Time as IoK8sMetaV1Time };
`
    assert.deepEqual(readModel(source), { name: "IoK8sMetaV1Time", texts: { "": "Time is a time." } })
  })

  it("are not lists of modules", () => {
    assert.equal(readModel(`export * from "./Cup.js";\n`), undefined)
  })
})
