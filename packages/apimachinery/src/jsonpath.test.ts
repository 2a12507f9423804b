import assert from "node:assert/strict"
import { test } from "node:test"
import { normalizeImageName, parseImageName } from "./image-name.ts"
import { parseJSONPath, relaxedJSONPath } from "./jsonpath.ts"

const data = {
  kind: "List",
  items: [
    {
      kind: "None",
      metadata: { name: "127.0.0.1", labels: { "kubernetes.io/hostname": "127.0.0.1" } },
      status: { capacity: { cpu: "4" }, addresses: [{ type: "Legacy", address: "127.0.0.1" }], n: 1 },
    },
    {
      kind: "None",
      metadata: { name: "127.0.0.2" },
      status: {
        capacity: { cpu: "8" },
        addresses: [
          { type: "Legacy", address: "127.0.0.2" },
          { type: "another", address: "127.0.0.3" },
        ],
        n: 2,
      },
    },
  ],
  users: [{ name: "myself" }, { name: "e2e", user: { password: "secret" } }],
}

test("templates", () => {
  const cases: Record<string, string> = {
    "kind is {.kind}": "kind is List",
    "{$.kind}{@.kind}": "ListList",
    "{.items[*].metadata.name}": "127.0.0.1 127.0.0.2",
    "{.items[*]['metadata.name', 'status.capacity']}": '127.0.0.1 127.0.0.2 {"cpu":"4"} {"cpu":"8"}',
    "{range .items[*]}[{.metadata.name}, {.status.capacity}] {end}":
      '[127.0.0.1, {"cpu":"4"}] [127.0.0.2, {"cpu":"8"}] ',
    '{range .items[*]}{.metadata.name}{"\\t"}{end}{"\\n"}': "127.0.0.1\t127.0.0.2\t\n",
    "{range .items[*]}{range .status.addresses[*]}{.address},{end}/{end}!":
      "127.0.0.1,/127.0.0.2,127.0.0.3,/!",
    "{..name}": "127.0.0.1 127.0.0.2 myself e2e",
    '{.users[?(@.name=="e2e")].user.password}': "secret",
    "{.users[?(@.user)].name}": "e2e",
    "{.items[?(@.status.n>1)].metadata.name}": "127.0.0.2",
    "{.items[-1:].metadata.name}": "127.0.0.2",
    "{.items[-1].metadata.name}": "127.0.0.2",
    "{.items[0].metadata.labels.kubernetes\\.io/hostname}": "127.0.0.1",
    "{.items[0:2].kind}": "None None",
    "{.users[*].name}": "myself e2e",
  }
  for (const [template, text] of Object.entries(cases)) {
    assert.equal(parseJSONPath(template).execute(data), text, template)
  }
})

test("errors", () => {
  const cases: Record<string, string> = {
    "{.foo}": "foo is not found",
    "{.items[5]}": "array index out of bounds: index 5, length 2",
    "{.kind[0]}": "string is not array or slice",
    "{.items[*": "unterminated array",
    "{.kind": "unclosed action",
    "{[?(@.a]}": "unterminated filter",
    "{#}": "unrecognized character in action: U+0023 '#'",
    "{end}": "not in range, nothing to end",
    "{foo}": "unrecognized identifier foo",
    "{.items[a]}": "invalid array index a",
    "{....a}": "invalid multiple recursive descent",
    '{"a}': "unterminated quoted string",
  }
  for (const [template, message] of Object.entries(cases)) {
    assert.throws(() => parseJSONPath(template).execute(data), { message }, template)
  }
  assert.equal(parseJSONPath("{.foo}", { allowMissingKeys: true }).execute(data), "")
  assert.equal(parseJSONPath("{.kind}", { outputJSON: true }).execute(data), '[\n    "List"\n]\n')
})

test("relaxed expressions", () => {
  for (const text of ["x.y", ".x.y", "{x.y}", "{.x.y}"]) assert.equal(relaxedJSONPath(text), "{.x.y}")
  assert.throws(() => relaxedJSONPath("{x"), /unexpected path string/)
})

test("image names", () => {
  const digest = `sha256:${"a".repeat(64)}`
  const cases: Record<string, string> = {
    busybox: "docker.io/library/busybox:latest",
    "busybox:1": "docker.io/library/busybox:1",
    "foo/bar": "docker.io/foo/bar:latest",
    "localhost/x": "localhost/x:latest",
    "localhost:5000/x:y": "localhost:5000/x:y",
    "index.docker.io/nginx": "docker.io/library/nginx:latest",
    [`registry.k8s.io/pause@${digest}`]: `registry.k8s.io/pause@${digest}`,
    [`a:b@${digest}`]: `docker.io/library/a:b@${digest}`,
  }
  for (const [text, full] of Object.entries(cases)) assert.equal(normalizeImageName(text), full)
  for (const bad of ["", "Foo", "a//b", "a:", "a:b:c", "a@sha256:x"])
    assert.throws(() => parseImageName(bad), bad)
})
