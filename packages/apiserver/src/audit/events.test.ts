/** Events word for word as the published API server writes them: testdata/events.json holds its answers to the same policy. */
import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "node:test"
import { request } from "node:https"
import { messageOf, Scope } from "@knarr/base"
import { testCertificates, startTestServer } from "../testing.ts"

interface Vector {
  readonly request: {
    readonly method: string
    readonly path: string
    readonly user?: string
    readonly headers?: Readonly<Record<string, string>>
    readonly body?: unknown
    readonly text?: string
  }
  readonly events: readonly Record<string, unknown>[]
}

const here = import.meta.dirname
const vectors = JSON.parse(readFileSync(join(here, "testdata/events.json"), "utf8")) as Vector[]

const times = new Set([
  "creationTimestamp",
  "deletionTimestamp",
  "requestReceivedTimestamp",
  "stageTimestamp",
])

/** What differs with each run is made the same. */
function normal(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(normal)
  // An age.
  if (typeof value === "string") return value.replace(/^\d+s$/, "0s")
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, field]: [string, unknown]) => {
      if (times.has(name) && field) return [name, "TIME"]
      if (typeof field !== "string") return [name, normal(field)]
      if (name === "uid" && /^[0-9a-f]{8}-/.test(field)) return [name, "UID"]
      if (name === "resourceVersion" && field !== "") return [name, "RV"]
      return [name, field.replace(/^made-[a-z0-9]{5}$/, "made-NAME")]
    }),
  )
}

/** The texts of columns are in a package that this one does not have. */
function withoutTexts(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (name, field: unknown) => (name === "description" ? undefined : field)),
  )
}

describe("Audit", () => {
  it("records requests as the published API server does", async () => {
    const dir = mkdtempSync(join(tmpdir(), "knarr-audit-"))
    const certificates = testCertificates()
    const path = join(dir, "audit.log")
    const events = new Map<string, unknown[]>()
    {
      await using scope = new Scope("test")
      const server = await startTestServer(scope, certificates, {
        staticTokens: new Map([
          ["admin-token", { name: "admin", groups: ["system:masters"] }],
          ["alice-token", { name: "alice", uid: "alice-uid", groups: ["developers"] }],
        ]),
        audit: { policyFile: join(here, "testdata/policy.yaml"), log: { path } },
      })
      for (const [i, { request: asked }] of vectors.entries()) {
        const user = asked.user ?? "admin"
        const body = asked.text ?? (asked.body === undefined ? undefined : JSON.stringify(asked.body))
        await send(server.port, certificates.ca.cert, asked.method, asked.path, body, {
          "audit-id": `vector-${i}`,
          "user-agent": "asker",
          accept: "application/json",
          ...(user === "" ? {} : { authorization: `Bearer ${user}-token` }),
          ...(body === undefined
            ? {}
            : { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) }),
          ...asked.headers,
        })
      }
    }
    for (const line of readFileSync(path, "utf8").trimEnd().split("\n")) {
      assert.doesNotMatch(line, /[<>&\u2028]/)
      const event = JSON.parse(line) as { auditID: string }
      events.set(event.auditID, [...(events.get(event.auditID) ?? []), normal(event)])
    }
    rmSync(dir, { recursive: true })
    for (const [i, { request: asked, events: wanted }] of vectors.entries())
      assert.deepEqual(
        withoutTexts(events.get(`vector-${i}`) ?? []),
        withoutTexts(wanted),
        `${i} ${asked.method} ${asked.path}`,
      )
  })

  // As the published API server ends, in the words of its log; how a file cannot be read the system says.
  for (const [title, text, message] of [
    [
      "missing",
      undefined,
      /^loading audit policy file: failed to read file path "FILE": .*no such file or directory/,
    ],
    [
      "garbage",
      "garbage\n",
      /^loading audit policy file: failed decoding: couldn't get version\/kind; json parse error: /,
    ],
    [
      "of another kind",
      "apiVersion: v1\nkind: ConfigMap\n",
      /^loading audit policy file: failed decoding: no kind "ConfigMap" is registered for version "v1"/,
    ],
  ] as const)
    it(`does not start with a policy that is ${title}, also without a place to record to`, async () => {
      const dir = mkdtempSync(join(tmpdir(), "knarr-audit-"))
      try {
        const policyFile = join(dir, "policy.yaml")
        if (text !== undefined) writeFileSync(policyFile, text)
        await using scope = new Scope("test")
        await assert.rejects(
          startTestServer(scope, testCertificates(), { audit: { policyFile } }),
          (error) => {
            assert.match(messageOf(error).replaceAll(policyFile, "FILE"), message)
            return true
          },
        )
      } finally {
        rmSync(dir, { recursive: true })
      }
    })
})

function send(
  port: number,
  ca: string,
  method: string,
  path: string,
  body: string | undefined,
  headers: Record<string, string>,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const sent = request({ host: "127.0.0.1", port, ca, method, path, headers, agent: false }, (answer) => {
    answer.resume()
    answer.on("end", resolve)
  })
  sent.on("error", reject)
  sent.end(body)
  return promise
}
