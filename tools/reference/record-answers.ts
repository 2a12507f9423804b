/**
 * Asks the published release what packages/apiserver/src/registry/testdata/answers needs to know, and writes its
 * answers there. Usage: node tools/reference/record-answers.ts KUBECONFIG [FILE…]; cases that have an answer are
 * asked again.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { request } from "node:https"
import { join } from "node:path"
import { kinds } from "@knarr/api"
import type { Kind, KubeObject } from "@knarr/apimachinery"
import { applyMergePatch, loadYaml } from "@knarr/apimachinery"
import { acceptance, refusal, type Answer } from "../../packages/apiserver/src/registry/answers.scenario.ts"

const [configPath, ...files] = process.argv.slice(2)
if (!configPath) throw new Error("Usage: record-answers.ts KUBECONFIG [FILE…]")
const config: any = (await loadYaml()).parse(readFileSync(configPath, "utf8"))
const { server, "certificate-authority": ca } = config.clusters[0].cluster
const { "client-certificate": cert, "client-key": key } = config.users[0].user
const tls = { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) }

interface Reply {
  readonly code: number
  readonly body: any
  readonly warnings: readonly string[]
}

function send(method: string, path: string, body?: unknown): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" }
    const sent = request(`${server}${path}`, { method, ...tls, agent: false, headers }, (res) => {
      let text = ""
      res.setEncoding("utf8").on("data", (part: string) => (text += part))
      res.on("end", () => {
        const raw = res.rawHeaders
        const warnings = raw.flatMap((name, i) => {
          if (i % 2 === 1 || name.toLowerCase() !== "warning") return []
          return [/^299 - "(.*)"$/s.exec(raw[i + 1]!)![1]!.replace(/\\(.)/gs, "$1")]
        })
        resolve({
          code: res.statusCode!,
          body: text.startsWith("{") ? JSON.parse(text) : { message: text },
          warnings,
        })
      })
    })
    sent.on("error", reject)
    sent.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

const namespace = "recorded-answers"

function pathOf(kind: Kind, name = ""): string {
  const root = kind.group ? `/apis/${kind.group}/${kind.version}` : `/api/${kind.version}`
  const scope = kind.namespaced ? `/namespaces/${namespace}` : ""
  return `${root}${scope}/${kind.plural}${name ? `/${name}` : ""}`
}

async function remove(kind: Kind, name: string): Promise<void> {
  for (;;) {
    const path = pathOf(kind, name)
    const found = await send("GET", path)
    if (found.code === 404) return
    if (found.code !== 200) throw new Error(`GET ${path}: ${JSON.stringify(found)}`)
    const { metadata, spec } = found.body
    if (metadata.finalizers || (metadata.deletionTimestamp && spec?.finalizers))
      await send("PUT", path, applyMergePatch(found.body, { metadata: { finalizers: null } }))
    await send("DELETE", path, { gracePeriodSeconds: 0, propagationPolicy: "Background" })
  }
}

async function ask(kind: Kind, base: KubeObject, one: any): Promise<Reply> {
  const name = base.metadata.name!
  await remove(kind, name)
  if ("create" in one) {
    const obj = applyMergePatch(base, one.create)
    const reply = await send("POST", pathOf(kind), obj)
    if (reply.code < 300) await remove(kind, reply.body.metadata.name)
    return reply
  }
  const path = pathOf(kind, name)
  const must = (reply: Reply): Reply => {
    if (reply.code >= 300) throw new Error(`${one.name}: ${JSON.stringify(reply.body)}`)
    return reply
  }
  // Controllers inside the server may write as well: then the change is made again.
  const put = async (subresource: string, patch: unknown): Promise<Reply> => {
    for (;;) {
      const { body } = must(await send("GET", path))
      const reply = await send("PUT", path + subresource, applyMergePatch(body, patch))
      if (reply.code !== 409) return reply
    }
  }
  must(await send("POST", pathOf(kind), base))
  if (one.first && "status" in one.first) must(await put("/status", { status: one.first.status }))
  if (one.first && "update" in one.first) must(await put("", one.first.update))
  return "status" in one ? put("/status", one.status) : put("", one.update)
}

function answerOf({ code, body, warnings }: Reply, one: any): Answer {
  return code < 300 ? acceptance(code, body, warnings, one.show) : refusal(code, body)
}

const folder = join(import.meta.dirname, "../../packages/apiserver/src/registry/testdata/answers")
await send("POST", "/api/v1/namespaces", { metadata: { name: namespace } })
for (const file of files.length > 0 ? files : readdirSync(folder)) {
  const path = join(folder, file)
  const tables = JSON.parse(readFileSync(path, "utf8"))
  const out: string[] = []
  for (const [title, { base, cases }] of Object.entries<any>(tables)) {
    const kind = kinds.find((one) => one.kind === base.kind && one.apiVersion === base.apiVersion)!
    const lines: string[] = []
    for (const one of cases) {
      const { answer: _, ...question } = one
      lines.push(JSON.stringify({ ...question, answer: answerOf(await ask(kind, base, one), one) }))
    }
    await remove(kind, base.metadata.name)
    out.push(
      `${JSON.stringify(title)}: {"base": ${JSON.stringify(base)}, "cases": [\n${lines.join(",\n")}\n]}`,
    )
  }
  writeFileSync(path, `{\n${out.join(",\n")}\n}\n`)
  process.stdout.write(`${file}\n`)
}
