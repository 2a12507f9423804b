/**
 * `node tools/facts/node.ts KUBECONFIG`: asks a running Kubernetes API server, freshly started with NodeRestriction,
 * what a node may, and writes the answers to packages/apiserver/src/authz/testdata/node.json.
 */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { createTransport, loadKubeconfig, resolveContext } from "@knarr/client"
import {
  objects,
  questions,
  requests,
  type Answers,
} from "../../packages/apiserver/src/authz/node.scenario.ts"

const [kubeconfig] = process.argv.slice(2)
if (!kubeconfig) throw new Error("usage: node tools/facts/node.ts KUBECONFIG")
using transport = createTransport(resolveContext(await loadKubeconfig([kubeconfig])).transport)

interface Answer {
  readonly code: number
  readonly json: Record<string, any>
}

async function send(
  method: string,
  path: string,
  body?: object,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await transport.request({
    method,
    path,
    headers: { "content-type": "application/json", ...headers },
    body: body && JSON.stringify(body),
  })
  return {
    code: response.status,
    json: JSON.parse((await response.buffer()).toString()) as Answer["json"],
  }
}

function pathOf(
  group: string,
  version: string,
  resource: string,
  namespace: string | undefined,
  ...rest: readonly string[]
): string {
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`
  return [root, ...(namespace ? ["namespaces", namespace] : []), resource, ...rest].join("/")
}

const uids: Record<string, string> = {}
for (const { resource, make } of objects) {
  const obj = make(uids) as { apiVersion: string; metadata: { name: string; namespace?: string } }
  const [plural, ...group] = resource.split(".") as [string, ...string[]]
  const version = obj.apiVersion.split("/").at(-1)!
  const { name, namespace } = obj.metadata
  const at = (...rest: string[]): string => pathOf(group.join("."), version, plural, namespace, ...rest)
  let answer = await send("POST", at(), obj)
  // An earlier run has made it.
  if (answer.code === 409) answer = await send("GET", at(name))
  if (answer.code > 201) throw new Error(`${resource} ${name}: ${JSON.stringify(answer.json)}`)
  uids[`${plural}/${name}`] = answer.json["metadata"]["uid"]
}

const reasons: string[] = []
const reviews: number[] = []
for (const { group, selected, ...attributes } of questions) {
  const answer = await send("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {
    spec: {
      user: "system:node:n1",
      groups: ["system:nodes", "system:authenticated"],
      resourceAttributes: {
        group,
        ...attributes,
        ...(selected === undefined
          ? {}
          : {
              fieldSelector: {
                requirements: [{ key: "spec.nodeName", operator: "In", values: [selected] }],
              },
            }),
      },
    },
  })
  const { allowed, reason = "" } = answer.json["status"] as { allowed: boolean; reason?: string }
  if (allowed) reviews.push(-1)
  else {
    let at = reasons.indexOf(reason)
    if (at < 0) at = reasons.push(reason) - 1
    reviews.push(at)
  }
}

const answers: [string, number, string][] = []
for (const {
  what,
  as = "n1",
  verb,
  group,
  version,
  resource,
  namespace,
  name,
  subresource,
  body,
} of requests) {
  const rest = verb === "create" && !subresource ? [] : [name, ...(subresource ? [subresource] : [])]
  const answer = await send(
    { create: "POST", patch: "PATCH", delete: "DELETE" }[verb],
    `${pathOf(group, version, resource, namespace, ...rest)}?dryRun=All`,
    body?.(uids),
    {
      "impersonate-user": `system:node:${as}`,
      "impersonate-group": "system:nodes",
      ...(verb === "patch" ? { "content-type": "application/merge-patch+json" } : {}),
    },
  )
  const message = answer.code < 400 ? "" : String(answer.json["message"])
  answers.push([
    what,
    answer.code,
    Object.entries(uids).reduce((text, [at, uid]) => text.replaceAll(uid, `<${at}>`), message),
  ])
}

const out: Answers = {
  kubernetes: String((await send("GET", "/version")).json["gitVersion"]).replace(/^v/, ""),
  reasons,
  reviews,
  requests: answers,
}
const file = join(import.meta.dirname, "../../packages/apiserver/src/authz/testdata/node.json")
const lines = Object.entries(out).map(([name, value]) =>
  name === "requests"
    ? `"requests": [\n${answers.map((answer) => `    ${JSON.stringify(answer)}`).join(",\n")}\n  ]`
    : `${JSON.stringify(name)}: ${JSON.stringify(value)}`,
)
writeFileSync(file, `{\n  ${lines.join(",\n  ")}\n}\n`)
