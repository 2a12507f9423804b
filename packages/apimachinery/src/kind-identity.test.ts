import assert from "node:assert/strict"
import { test } from "node:test"
import { sameKind, sameResource } from "./kind-identity.ts"
import { defineKind, type Kind } from "./kind.ts"

const kindOf = (group: string, version: string, kind: string, plural: string): Kind =>
  defineKind({ group, version, kind, plural, namespaced: true, schema: { type: "object" } })

const widget = kindOf("example.com", "v1", "Widget", "widgets")

const pairs: [what: string, other: Kind, kind: boolean, resource: boolean][] = [
  ["the same again", kindOf("example.com", "v1", "Widget", "widgets"), true, true],
  ["another version", kindOf("example.com", "v1beta1", "Widget", "widgets"), false, true],
  ["another group", kindOf("example.org", "v1", "Widget", "widgets"), false, false],
  ["another kind", kindOf("example.com", "v1", "Gadget", "gadgets"), false, false],
]
for (const [what, other, kind, resource] of pairs)
  test(`${what} is ${kind ? "" : "not "}the same kind and ${resource ? "" : "not "}the same resource`, () => {
    assert.equal(sameKind(widget, other), kind)
    assert.equal(widget.id === other.id, kind)
    assert.equal(sameResource(widget, other), resource)
  })
