import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { kinds } from "@knarr/api"
import type { Kind, KubeObject, StatusError } from "@knarr/apimachinery"
import type { Client } from "@knarr/client"
import type { ControlPlane } from "../control-plane.ts"
import { withTestPlane } from "../testing.ts"
import { objects, questions, requests, type Answers, type Request } from "./node.scenario.ts"
import { askedFields, resourceAttributes } from "./attributes.ts"

const answers = JSON.parse(readFileSync(join(import.meta.dirname, "testdata/node.json"), "utf8")) as Answers
const kubelet = (name: string): { name: string; groups: string[] } => ({
  name: `system:node:${name}`,
  groups: ["system:nodes", "system:authenticated"],
})

function kindOf(group: string, version: string, resource: string): Kind {
  return kinds.find((kind) => kind.group === group && kind.version === version && kind.plural === resource)!
}

async function prepare(plane: ControlPlane): Promise<Record<string, string>> {
  const uids: Record<string, string> = {}
  for (const { resource, make } of objects) {
    const obj = make(uids) as KubeObject
    const [plural, ...group] = resource.split(".") as [string, ...string[]]
    const kind = kindOf(group.join("."), obj.apiVersion!.split("/").at(-1)!, plural)
    const made = await plane.client().create(kind, obj as never)
    uids[`${plural}/${made.metadata.name}`] = made.metadata.uid
  }
  return uids
}

test("a node may what Kubernetes lets it: every verb on every resource", async () => {
  await withTestPlane(async (plane) => {
    await prepare(plane)
    const wrong: string[] = []
    for (const [i, { group, selected, ...rest }] of questions.entries()) {
      const fieldSelector = askedFields(selected && `spec.nodeName=${selected}`)
      const asked = resourceAttributes({ ...rest, apiGroup: group, fieldSelector })
      const { verdict, reason } = await plane.authorizer.authorize(kubelet("n1"), asked, {})
      const mine = verdict === "allow" ? "allowed" : reason
      const theirs = answers.reviews[i] === -1 ? "allowed" : answers.reasons[answers.reviews[i]!]!
      if (mine !== theirs) wrong.push(`${JSON.stringify(questions[i])}: ${mine} instead of ${theirs}`)
    }
    assert.deepEqual(wrong, [])
    assert.equal(questions.length, answers.reviews.length)
  })
})

async function send(client: Client, request: Request, uids: Record<string, string>): Promise<unknown> {
  const { verb, group, version, resource, namespace = "", name, subresource = "", body } = request
  const kind = kindOf(group, version, resource)
  const ref = { namespace, name }
  const content = body?.(uids)
  if (verb === "delete") return client.delete(kind, ref, { dryRun: true })
  if (verb === "patch") return client.patch(kind, ref, "merge", content, { subresource, dryRun: true })
  if (subresource !== "") return client.createSubresource(kind, ref, subresource, content, { dryRun: true })
  return client.create(kind, content as never, { dryRun: true })
}

test("a node's writes get the answers of Kubernetes", async () => {
  await withTestPlane(async (plane) => {
    const uids = await prepare(plane)
    const mine: [string, number, string][] = []
    for (const request of requests) {
      const success = request.verb === "create" ? 201 : 200
      const client = plane.client(kubelet(request.as ?? "n1"))
      try {
        await send(client, request, uids)
        mine.push([request.what, success, ""])
      } catch (thrown) {
        const { code, message } = (thrown as StatusError).status ?? { code: 0, message: String(thrown) }
        const text = Object.entries(uids).reduce((all, [at, uid]) => all.replaceAll(uid, `<${at}>`), message!)
        mine.push([request.what, code!, text])
      }
    }
    assert.deepEqual(mine, answers.requests)
  })
})
