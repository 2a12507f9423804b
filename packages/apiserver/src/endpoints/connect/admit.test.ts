import assert from "node:assert/strict"
import { after, before, it } from "node:test"
import {
  mutatingAdmissionPolicy,
  mutatingAdmissionPolicyBinding,
  validatingAdmissionPolicy,
  validatingAdmissionPolicyBinding,
} from "@knarr/api"
import { startStreamFixture, type StreamFixture } from "./testing.ts"

let fixture: StreamFixture
before(async () => (fixture = await startStreamFixture(1)))
after(() => fixture[Symbol.asyncDispose]())

const rule = (resource: string): object => ({
  operations: ["CONNECT"],
  apiGroups: [""],
  apiVersions: ["v1"],
  resources: [resource],
})

async function answerTo(path: string): Promise<string> {
  const text = await fixture.raw(
    `POST /api/v1/namespaces/default/${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
    fixture.admin,
  )
  return (JSON.parse(/\{.*\}/s.exec(text)![0]) as { message: string }).message
}

it("A connection is shown to admission as its options, before anything else is said about it", async () => {
  const client = fixture.server.client()
  await client.create(validatingAdmissionPolicy, {
    metadata: { name: "commands" },
    spec: {
      matchConstraints: { resourceRules: [rule("pods/exec"), rule("pods/portforward")] },
      validations: [
        {
          expression:
            "request.operation != 'CONNECT' || object.kind == 'PodPortForwardOptions' && object.ports == [80, 81]",
          messageExpression:
            "request.subResource + ' ' + string(object.kind) + ' ' + string(object.container) + ' ' + object.command.join(',') + ' ' + string(has(object.stdin)) + string(has(object.tty))",
        },
      ],
    },
  } as never)
  const binding = { policyName: "commands", validationActions: ["Deny"] }
  await client.create(validatingAdmissionPolicyBinding, { metadata: { name: "b" }, spec: binding } as never)
  assert.equal(
    await answerTo("pods/p/exec?command=rm&command=-rf&container=a&stdin=true&tty=0"),
    "pods \"p\" is forbidden: ValidatingAdmissionPolicy 'commands' with binding 'b' denied request: exec PodExecOptions a rm,-rf truefalse",
  )
  assert.equal(await answerTo("pods/p/portforward?ports=80,81"), "Upgrade request required")
})

it("What webhooks and policies cannot change of a connection they cannot", async () => {
  const client = fixture.server.client()
  await client.create(mutatingAdmissionPolicy, {
    metadata: { name: "changes" },
    spec: {
      matchConstraints: { resourceRules: [rule("pods/attach")] },
      reinvocationPolicy: "Never",
      mutations: [
        {
          patchType: "JSONPatch",
          jsonPatch: { expression: "[JSONPatch{op: 'add', path: '/tty', value: true}]" },
        },
      ],
    },
  } as never)
  const spec = { policyName: "changes" }
  await client.create(mutatingAdmissionPolicyBinding, { metadata: { name: "c" }, spec } as never)
  assert.match(
    await answerTo("pods/p/attach?container=a"),
    /^Resource kind \/v1, Kind=PodAttachOptions not found\. There can be a delay/,
  )
})
