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
  ["{{range .items}}{{if eq .n 2}}{{break}}{{end}}{{.name}}{{end}}", "a"],
]

for (const [template, text] of cases) {
  test(`template ${template}`, () => {
    assert.equal(compileTemplate(template, { allowMissing: true })(data), text)
  })
}
