import assert from "node:assert/strict"
import { test } from "node:test"
import { compileTemplate } from "./go-template.ts"

const data = {
  items: [
    { name: "a", n: 1 },
    { name: "b", n: 2 },
  ],
  labels: { x: "1", y: "2" },
}
const cases: readonly [template: string, text: string][] = [
  ["{{range .items}}{{.name}}={{.n}} {{end}}", "a=1 b=2 "],
  ["{{range $i, $e := .items}}{{$i}}{{$e.name}}{{end}}", "0a1b"],
  ["{{range $k, $v := .labels}}{{$k}}{{$v}}{{end}}", "x1y2"],
  ['{{if eq .labels.x "1"}}yes{{else}}no{{end}}', "yes"],
  ["{{if .nope}}a{{else if .items}}b{{end}}", "b"],
  ['{{printf "%s:%d:%q" "a" 3 "z"}}', 'a:3:"z"'],
  ['{{index .labels "y"}} {{len .items}} {{(index .items 1).name}}', "2 2 b"],
  ["{{with .labels}}{{.x}}{{end}}", "1"],
  ["a {{- 1 -}} b", "a1b"],
  ["{{.nope}}", "<no value>"],
  ["{{.labels}}", "map[x:1 y:2]"],
  ['{{"aGk=" | base64decode}}', "hi"],
  ['{{slice "abc" 1 2}}{{slice .items 1}}', "b[map[n:2 name:b]]"],
  ['{{printf "%99999999d" 1}}', "%!(BADWIDTH)1"],
  ["{{range .items}}{{if eq .n 2}}{{break}}{{end}}{{.name}}{{end}}", "a"],
]

for (const [template, text] of cases) {
  test(`template ${template}`, () => {
    assert.equal(compileTemplate(template, { allowMissing: true })(data), text)
  })
}

const refused: readonly [template: string, message: RegExp][] = [
  ["{{slice}}", /wrong number of args for slice: want at least 1 got 0/],
  ["{{len}}", /wrong number of args for len: want 1 got 0/],
  ["{{ne 1}}", /wrong number of args for ne: want 2 got 1/],
  ["{{not 1 2}}", /wrong number of args for not: want 1 got 2/],
  ["{{constructor}}", /function "constructor" not defined/],
  ["{{__proto__}}", /function "__proto__" not defined/],
  ["{{slice .labels 1}}", /can't slice item of type map/],
  ['{{slice "abc" 4}}', /index out of range: 4/],
]

for (const [template, message] of refused) {
  test(`template ${template} is refused`, () => {
    assert.throws(() => compileTemplate(template, { allowMissing: true })(data), message)
  })
}
