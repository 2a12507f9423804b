/** kubectl's output templates: JSONPath and Go templates give a text or a refusal for every object. */
import { parseJSONPath, relaxedJSONPath } from "@knarr/apimachinery"
import { compileTemplate } from "../../../packages/kubectl/src/template/go-template.ts"
import { samples } from "../objects.ts"
import { answerOf, defineTarget } from "../target.ts"

const seeds = [
  ...[
    "{.items[*].metadata.name}",
    '{range .items[*]}{.metadata.name}{"\\n"}{end}',
    '{.spec.containers[?(@.name=="c")].image}',
  ],
  ...[
    "{..name}",
    "{.a[0:3:2]}",
    "{.a[-1]}",
    "{.metadata.labels['a\\.b']}",
    "{@}",
    "{$.x}",
    "{.x[?(@.y>1 && @.z)]}",
    "{1}",
  ],
  ...[
    "{{.metadata.name}}",
    "{{range $i, $e := .spec.containers}}{{$i}}{{.name}}{{end}}",
    '{{printf "%s %d %v" .a 1 .b}}',
  ],
  ...[
    '{{if eq .kind "Pod"}}a{{else if .x}}b{{else}}c{{end}}',
    "{{with .metadata}}{{.name}}{{end}}",
    "{{index .a 0}}",
    "{{len .}}",
  ],
  ...[
    '{{define "t"}}x{{end}}{{template "t" .}}',
    "{{- .a -}}",
    "{{/* c */}}",
    '{{.a | printf "%q" | html}}',
    "{{slice .a 1 2}}",
  ],
]

export const templates = defineTarget<{ text: string; data: unknown }>({
  name: "templates",
  quick: 800,
  open: () => ({
    generate: (draw) => ({
      text: draw.chance(0.85) ? draw.mutate(draw.pick(seeds), seeds) : draw.text(),
      data: draw.chance(0.7) ? draw.pick(samples).object : draw.json(),
    }),
    check({ text, data }) {
      answerOf(() => relaxedJSONPath(text))
      for (const allowMissingKeys of [false, true])
        answerOf(() => parseJSONPath(text, { allowMissingKeys }).execute(data))
      for (const allowMissing of [false, true]) answerOf(() => compileTemplate(text, { allowMissing })(data))
    },
  }),
})
