/** What OpenAPI publishes of a definition's schema. */
import { get, quiet, type Step } from "../../script.ts"
import { definition, served, version } from "./definition.ts"

const group = "openapi.example.com"
const string = { type: "string" }
const integer = { type: "integer" }

const schema = {
  type: "object",
  description: "Widget is a thing.",
  title: "The thing",
  required: ["spec"],
  "x-kubernetes-validations": [{ rule: "self.spec.number < 5", message: "small" }],
  properties: {
    apiVersion: { ...string, description: "own text" },
    kind: string,
    metadata: { type: "object" },
    spec: {
      type: "object",
      description: "What is wanted.",
      required: ["number", "maybe"],
      properties: {
        number: { ...integer, format: "int32", minimum: 1, maximum: 9, exclusiveMaximum: true, default: 3 },
        ratio: { type: "number", multipleOf: 0.5 },
        word: { ...string, pattern: "^a", maxLength: 9, minLength: 1, enum: ["a", "ab"], example: "ab" },
        day: { ...string, format: "date" },
        maybe: { ...string, nullable: true, description: "Or nothing." },
        maybeObject: { type: "object", nullable: true, properties: { a: string } },
        port: { "x-kubernetes-int-or-string": true, description: "A port." },
        share: { "x-kubernetes-int-or-string": true, anyOf: [integer, string], pattern: "^\\d+%?$" },
        either: { "x-kubernetes-int-or-string": true, anyOf: [{ pattern: "^a" }, { minimum: 3 }] },
        any: { "x-kubernetes-preserve-unknown-fields": true },
        free: { type: "object", "x-kubernetes-preserve-unknown-fields": true, properties: { a: string } },
        list: { type: "array", items: string, maxItems: 3, minItems: 1, "x-kubernetes-list-type": "set" },
        freeList: { type: "array", items: { "x-kubernetes-preserve-unknown-fields": true } },
        keyed: {
          type: "array",
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["k"],
          items: {
            type: "object",
            required: ["k"],
            properties: { k: string, v: { ...integer, default: 1 } },
          },
        },
        map: {
          type: "object",
          additionalProperties: integer,
          minProperties: 1,
          "x-kubernetes-map-type": "atomic",
        },
        maybeMap: { type: "object", additionalProperties: { ...integer, nullable: true }, required: ["a"] },
        open: { type: "object", additionalProperties: true },
        closed: { type: "object", additionalProperties: false },
        bare: { type: "object" },
        resource: {
          type: "object",
          "x-kubernetes-embedded-resource": true,
          required: ["spec"],
          properties: { spec: string },
        },
        freeResource: {
          type: "object",
          "x-kubernetes-embedded-resource": true,
          "x-kubernetes-preserve-unknown-fields": true,
        },
        logic: {
          type: "object",
          properties: { a: integer, b: integer },
          oneOf: [{ required: ["a"] }, { required: ["b"], properties: { b: { minimum: 3 } } }],
          not: { required: ["a", "b"] },
          allOf: [{ properties: { a: { maximum: 5 } } }],
        },
      },
    },
    status: { type: "object", properties: { phase: string } },
  },
}

export function openapi(namespace: string): Step[] {
  const widget = definition(group, "widgets", "Widget", [
    version(
      "v1",
      {},
      {
        schema: { openAPIV3Schema: schema },
        subresources: { status: {} },
        selectableFields: [{ jsonPath: ".spec.word" }],
      },
    ),
  ])
  const free = definition(group, "frees", "Free", [
    version(
      "v2",
      {},
      {
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
        selectableFields: [],
      },
    ),
  ])
  return [
    ...served(namespace, widget),
    ...served(`${namespace}-free`, free),
    { ...quiet(get("published", `/openapi/v3/apis/${group}/v1`)), whileStatus: 404 },
    { ...quiet(get("published too", `/openapi/v3/apis/${group}/v2`)), whileStatus: 404 },
    get("version 3", `/openapi/v3/apis/${group}/v1`),
    get("version 3 of anything", `/openapi/v3/apis/${group}/v2`),
    get("version 2", "/openapi/v2"),
  ]
}
