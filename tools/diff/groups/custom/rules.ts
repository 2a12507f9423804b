/** Validation rules: expressions in schemas. */
import { patch, post, quiet, type Body, type Step } from "../../script.ts"
import { definition, served, version } from "./definition.ts"

const integer = { type: "integer" }
const string = { type: "string" }
const group = "rules.example.com"

const rule = (text: string, more: object = {}): Record<string, unknown> => ({ rule: text, ...more })

const properties = {
  spec: {
    type: "object",
    "x-kubernetes-validations": [
      rule("!has(self.min) || !has(self.max) || self.min <= self.max"),
      rule("!has(self.name) || self.name != 'bad'", { message: "no bad names" }),
      rule("!has(self.name) || size(self.name) < 6", {
        messageExpression: "'the name ' + self.name + ' is too long'",
        reason: "FieldValueForbidden",
        fieldPath: ".name",
      }),
      rule("!has(self.locked) || !has(oldSelf.locked) || self.locked == oldSelf.locked", {
        message: "locked is locked",
      }),
      rule("!has(self.div) || 10 / self.div > 0"),
      rule("!has(self.port) || self.port < 10"),
    ],
    properties: {
      min: integer,
      max: integer,
      name: { ...string, maxLength: 20 },
      locked: string,
      div: integer,
      port: { "x-kubernetes-int-or-string": true },
      items: {
        type: "array",
        maxItems: 10,
        items: {
          type: "object",
          properties: { n: integer },
          "x-kubernetes-validations": [rule("self.n % 2 == 0", { reason: "FieldValueDuplicate" })],
        },
      },
      keyed: {
        type: "array",
        maxItems: 10,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["k"],
        items: {
          type: "object",
          required: ["k"],
          properties: {
            k: { ...string, maxLength: 10 },
            v: { ...integer, "x-kubernetes-validations": [rule("self >= oldSelf")] },
          },
        },
      },
      map: {
        type: "object",
        maxProperties: 10,
        additionalProperties: {
          ...string,
          maxLength: 10,
          "x-kubernetes-validations": [rule("self.startsWith('a')")],
        },
      },
      grown: {
        ...integer,
        "x-kubernetes-validations": [rule("self >= oldSelf.orValue(0)", { optionalOldSelf: true })],
      },
    },
  },
}

export function rules(namespace: string): Step[] {
  const path = `/apis/${group}/v1/namespaces/${namespace}/ruled`
  const body = (name: string, spec: unknown): Body =>
    ({ apiVersion: `${group}/v1`, kind: "Ruled", metadata: { name }, spec }) as Body
  const tried = (title: string, spec: unknown): Step => post(title, `${path}?dryRun=All`, body("one", spec))
  const merged = (title: string, spec: object): Step =>
    patch(title, `${path}/old?dryRun=All`, "merge", { spec })
  return [
    ...served(
      namespace,
      definition(group, "ruled", "Ruled", [version("v1", properties)], { names: { singular: "ruled" } }),
    ),
    tried("nothing", {}),
    tried("in order", { min: 1, max: 2 }),
    tried("out of order", { min: 2, max: 1 }),
    tried("a message", { name: "bad" }),
    tried("a message made", { name: "longer" }),
    tried("two broken", { min: 2, max: 1, name: "bad" }),
    tried("division by zero", { div: 0 }),
    tried("a port", { port: 5 }),
    tried("a port of text", { port: "http" }),
    tried("items", { items: [{ n: 2 }, { n: 3 }] }),
    tried("items without", { items: [{}] }),
    tried("map", { map: { x: "b" } }),
    tried("blocked", { min: "x", name: "bad" }),
    tried("grown from nothing", { grown: 1 }),
    tried("grown below", { grown: -1 }),
    quiet(post("old", path, body("old", { locked: "a", keyed: [{ k: "x", v: 5 }], grown: 5 }))),
    merged("locked", { locked: "b" }),
    merged("locked as it was", { locked: "a", min: 1 }),
    merged("keyed grows", {
      keyed: [
        { k: "y", v: 1 },
        { k: "x", v: 6 },
      ],
    }),
    merged("keyed shrinks", { keyed: [{ k: "x", v: 4 }] }),
    merged("grown shrinks", { grown: 4 }),
  ]
}
