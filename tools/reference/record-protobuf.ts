/**
 * Asks the published release for an object of every kind, in JSON and in protobuf, and writes both to
 * packages/api/testdata/protobuf.json.gz. Usage: node tools/reference/record-protobuf.ts KUBECONFIG
 */
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { request } from "node:https"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { gzipSync } from "node:zlib"
import { loadYaml } from "@knarr/apimachinery"
import { collectionOf, objectOf, samplesOf } from "../diff/objects.ts"

const [configPath] = process.argv.slice(2)
if (!configPath) throw new Error("Usage: record-protobuf.ts KUBECONFIG")
const config: any = (await loadYaml()).parse(readFileSync(configPath, "utf8"))
const { server, "certificate-authority": ca } = config.clusters[0].cluster
const { "client-certificate": cert, "client-key": key } = config.users[0].user
const tls = { ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key) }

function send(
  method: string,
  path: string,
  accept: string,
  body?: unknown,
): Promise<{ code: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const headers = { accept, "content-type": "application/json", "user-agent": "record/1.0" }
    const sent = request(`${server}${path}`, { method, ...tls, agent: false, headers }, (res) => {
      const chunks: Buffer[] = []
      res.on("data", (chunk: Buffer) => chunks.push(chunk))
      res.on("end", () => resolve({ code: res.statusCode!, body: Buffer.concat(chunks) }))
    })
    sent.on("error", reject)
    sent.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

const json = "application/json"
const protobuf = "application/vnd.kubernetes.protobuf"
const scratch = mkdtempSync(join(tmpdir(), "record-"))
const openssl = (...args: string[]): Buffer =>
  execFileSync("openssl", args, { cwd: scratch, stdio: ["ignore", "pipe", "ignore"] })
openssl(
  "req",
  "-new",
  "-newkey",
  "ec",
  "-pkeyopt",
  "ec_paramgen_curve:prime256v1",
  "-nodes",
  "-subj",
  "/CN=recorded",
  "-out",
  "r.csr",
  "-keyout",
  "r.key",
)
const csr = readFileSync(join(scratch, "r.csr"))
const der = openssl("req", "-in", "r.csr", "-outform", "DER")
rmSync(scratch, { recursive: true })
/** What has to be valid there and is not in the samples. */
const specs: Readonly<Record<string, object>> = {
  CertificateSigningRequest: { request: csr.toString("base64") },
  ClusterTrustBundle: { trustBundle: readFileSync(ca, "utf8") },
  PodCertificateRequest: { stubPKCS10Request: der.toString("base64") },
}

async function make(namespace: string): Promise<void> {
  await send("POST", "/api/v1/namespaces", json, { metadata: { name: namespace } })
  await send("POST", `/api/v1/namespaces/${namespace}/serviceaccounts`, json, {
    metadata: { name: "default" },
  })
}

/** Both forms of one state of an object. */
async function recordOne(
  path: string,
): Promise<{ readonly json: any; readonly protobuf: string } | undefined> {
  for (;;) {
    const before = await send("GET", path, json)
    if (before.code !== 200) return undefined
    const bytes = (await send("GET", path, protobuf)).body
    const after = await send("GET", path, json)
    // Controllers write, too.
    if (before.body.equals(after.body))
      return { json: JSON.parse(after.body.toString()), protobuf: bytes.toString("base64") }
  }
}

const namespace = "recorded-protobuf"
await make(namespace)
await make("default")
const recorded: object[] = []
for (const sample of samplesOf("recorded")) {
  const { kind, name } = sample
  // Events without a namespace are about what has none.
  const collection = collectionOf(kind, kind.kind === "Event" ? "default" : namespace)
  const one = `${collection}/${name}`
  const spec = specs[kind.kind]
  for (const which of ["rich", "minimal"] as const) {
    await send("DELETE", `${one}?gracePeriodSeconds=0`, json)
    const body: any = objectOf(sample, which)
    if (spec) Object.assign(body.spec, spec)
    const made = await send("POST", collection, json, body)
    const both = await recordOne(one)
    await send("DELETE", `${one}?gracePeriodSeconds=0`, json)
    if (both) {
      recorded.push(both)
      break
    }
    process.stderr.write(`${sample.id} ${which}: ${made.code} ${made.body.toString().slice(0, 300)}\n`)
  }
}
const file = join(import.meta.dirname, "../../packages/api/testdata/protobuf.json.gz")
mkdirSync(dirname(file), { recursive: true })
writeFileSync(file, gzipSync(JSON.stringify(recorded), { level: 9 }))
process.stdout.write(`${recorded.length} objects\n`)
