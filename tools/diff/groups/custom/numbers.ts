/** Numbers that no float64 holds, and applies without metadata. */
import { get, json, patch, post, type Step } from "../../script.ts"
import { definition, served, version } from "./definition.ts"

const group = "numbers.example.com"
const apiVersion = `${group}/v1`
const yaml = { "content-type": "application/yaml" }

export function numbers(namespace: string): Step[] {
  const path = `/apis/${group}/v1/namespaces/${namespace}/nums`
  const configMap = `/api/v1/namespaces/${namespace}/configmaps/missing`
  const deployments = `/apis/apps/v1/namespaces/${namespace}/deployments`
  const properties = {
    spec: { type: "object", properties: { n: { type: "number" }, s: { type: "string" } } },
    free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
  }
  const text = (name: string, rest: string): string =>
    `{"apiVersion":"${apiVersion}","kind":"Num","metadata":{"name":"${name}"},${rest}}`
  const inYaml = (name: string, number: string): string =>
    `apiVersion: ${apiVersion}\nkind: Num\nmetadata: {name: ${name}}\nspec: {"n": ${number}}\n`
  return [
    ...served(namespace, definition(group, "nums", "Num", [version("v1", properties)])),
    ...["1e400", "-1e999", `1${"0".repeat(320)}`, "1e-400", "1.7976931348623157e308", "1.8e308"].map(
      (number, i) => post(`number ${i}`, path, text(`n${i}`, `"spec":{"n":${number}}`), json),
    ),
    post("number in a text", path, text("t1", '"spec":{"s":"1e400 \\"1e400"}'), json),
    post("number where anything may be", path, text("f1", '"free":{"a":[{"b":1e400}]}'), json),
    post("number that goes", path, text("g1", '"spec":{"other":1e400}'), json),
    post(
      "number in metadata",
      path,
      `{"apiVersion":"${apiVersion}","kind":"Num","metadata":{"name":"m","generation":1e400}}`,
      json,
    ),
    post("of a built-in kind", deployments, '{"metadata":{"name":"x"},"spec":{"replicas":1e400}}', json),
    ...[".inf", "-.inf", ".nan"].flatMap((number) => [
      post(`YAML ${number}`, path, inYaml("y1", number), yaml),
      patch(`apply ${number}`, `${path}/y2?fieldManager=x`, "apply", inYaml("y2", number)),
    ]),
    patch("apply", `${path}/y3?fieldManager=x`, "apply", inYaml("y3", "1e400")),
    patch("apply JSON", `${path}/y4?fieldManager=x`, "apply", text("y4", '"spec":{"n":1e400}')),
    ...(
      [
        ["custom", `${path}/n3`],
        ["namespace", `/api/v1/namespaces/${namespace}`],
      ] as const
    ).flatMap(([what, one]) => [
      patch(`merge, ${what}`, one, "merge", '{"spec":{"n":1e400}}'),
      patch(
        `JSON patch, ${what}`,
        one,
        "json",
        '[{"op":"add","path":"/metadata/labels","value":{"a":1e400}}]',
      ),
    ]),
    patch("strategic", `/api/v1/namespaces/${namespace}`, "strategic", '{"metadata":{"labels":{"a":1e400}}}'),
    get("what stands", path),
    ...['"metadata":null', '"metadata":"x"', '"metadata":[]', '"metadata":{"name":null}', '"a":1'].flatMap(
      (part) => [
        patch(
          `apply to nothing, ${part}`,
          `${path}/missing?fieldManager=x`,
          "apply",
          `{"apiVersion":"${apiVersion}","kind":"Num",${part}}`,
        ),
        patch(
          `apply to one, ${part}`,
          `${path}/n3?fieldManager=x`,
          "apply",
          `{"apiVersion":"${apiVersion}","kind":"Num",${part}}`,
        ),
        patch(
          `apply to no ConfigMap, ${part}`,
          `${configMap}?fieldManager=x`,
          "apply",
          `{"apiVersion":"v1","kind":"ConfigMap",${part}}`,
        ),
      ],
    ),
  ]
}
