import assert from "node:assert/strict"
import { accessSync, constants, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { get } from "node:http"
import { createServer, type AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { test, type TestContext } from "node:test"
import { configMap, pod } from "@knarr/api"
import { Meter, silentLogger, systemClock, systemRandom } from "@knarr/base"
import { createRestClient, createTransport } from "@knarr/client"
import type { CommandContext } from "../commands/command.ts"
import { writeAssets } from "./assets.ts"
import { runEnvtest } from "./programs.ts"

interface Run {
  readonly printed: () => string
  readonly warned: () => string
  readonly stop: () => void
  readonly code: Promise<number>
}

function run(...argv: string[]): Run {
  const controller = new AbortController()
  const said = { print: "", warn: "" }
  const ctx: CommandContext = {
    ...{ clock: systemClock, random: systemRandom, log: silentLogger, meter: new Meter() },
    signal: controller.signal,
    environment: {},
    print: (words) => (said.print += words),
    warn: (words) => (said.warn += words),
  }
  return {
    printed: () => said.print,
    warned: () => said.warn,
    stop: () => controller.abort(),
    code: runEnvtest(argv, ctx),
  }
}

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "knarr-envtest-"))
  t.after(() => rmSync(dir, { recursive: true }))
  return dir
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Asks until something answers. */
async function answerOf<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch (thrown) {
      if (!/ECONNREFUSED/.test(String((thrown as Error).cause ?? thrown))) throw thrown
    }
    await systemClock.sleep(10, AbortSignal.timeout(30_000))
  }
}

test("the folder has a script for each program, which runs this one", (t) => {
  const home = folder(t)
  const dir = writeAssets(home, ["/usr/bin/node", "/it's/knarr.mjs"], { NODE_COMPILE_CACHE: "/cache" })
  assert.deepEqual(readdirSync(dir).sort(), ["etcd", "kube-apiserver", "kubectl"])
  for (const name of readdirSync(dir)) accessSync(join(dir, name), constants.X_OK)
  assert.equal(
    readFileSync(join(dir, "etcd"), "utf8"),
    "#!/bin/sh\n# Knarr in the place of etcd, for envtest.\nexport NODE_COMPILE_CACHE='/cache'\n" +
      `exec '/usr/bin/node' '/it'\\''s/knarr.mjs' 'envtest' 'etcd' "$@"\n`,
  )
  assert.notEqual(writeAssets(home, ["/usr/bin/node", "/other/knarr.mjs"], {}), dir)
})

test("the help tells envtest which flags it may pass, and others are refused", async () => {
  const etcd = run("etcd", "--help")
  assert.equal(await etcd.code, 0)
  assert.match(etcd.printed(), /^\s*--unsafe-no-fsync\b/m)
  const server = run("kube-apiserver", "--help")
  assert.equal(await server.code, 0)
  assert.doesNotMatch(server.printed(), /^\s*--insecure-port\b/m)
  assert.match(server.printed(), /^\s*--audit-policy-file\b/m)
  for (const [argv, message] of [
    [["kube-apiserver", "--foo=bar"], "Error: unknown flag: --foo\n"],
    [
      ["kube-apiserver", "--authorization-mode=ABAC"],
      /--authorization-mode ABAC: only AlwaysAllow, Node, RBAC/,
    ],
    [["etcd", "--listen-client-urls=https://127.0.0.1:1"], /only http:\/\/ is served/],
    [["etcd", "member"], 'Error: unknown argument "member"\n'],
  ] as const) {
    const refused = run(...argv)
    assert.equal(await refused.code, 1)
    if (typeof message === "string") assert.equal(refused.warned(), message)
    else assert.match(refused.warned(), message)
  }
})

test("etcd's place is well until it is stopped", async () => {
  const port = await freePort()
  const etcd = run("etcd", `--listen-client-urls=http://127.0.0.1:${port}`, "--data-dir=/nowhere")
  const body = await answerOf(
    () =>
      new Promise<string>((resolve, reject) => {
        get(`http://127.0.0.1:${port}/health`, (response) => void text(response).then(resolve, reject)).on(
          "error",
          reject,
        )
      }),
  )
  assert.deepEqual(JSON.parse(body), { health: "true", reason: "" })
  etcd.stop()
  assert.equal(await etcd.code, 0)
})

test("kube-apiserver's place serves the API alone, to whom its flags let in", async (t) => {
  const tokens = join(folder(t), "tokens.csv")
  writeFileSync(tokens, 'secret,admin,1,"system:masters"\nother,somebody,2\n')
  const port = await freePort()
  const server = run(
    "kube-apiserver",
    ...["--bind-address=127.0.0.1", `--secure-port=${port}`, "--authorization-mode=RBAC"],
    ...["--service-cluster-ip-range=10.0.0.0/24", "--disable-admission-plugins=ServiceAccount"],
    ...["--etcd-servers=http://127.0.0.1:1", "--allow-privileged=true", `--token-auth-file=${tokens}`],
  )
  const clientOf = (token: string) => {
    const transport = createTransport({
      server: `https://127.0.0.1:${port}`,
      tls: () => ({ rejectUnauthorized: false }),
      headers: () => ({ authorization: `Bearer ${token}` }),
    })
    return { transport, client: createRestClient({ transport }) }
  }
  const { transport, client } = clientOf("secret")
  using _transport = transport
  const signal = AbortSignal.timeout(30_000)
  await answerOf(() => transport.request({ method: "GET", path: "/healthz", signal }))
  const made = await client.create(pod, {
    metadata: { namespace: "default", name: "p" },
    spec: { containers: [{ name: "c", image: "i", securityContext: { privileged: true } }] },
  })
  assert.equal(made.metadata.name, "p")
  const other = clientOf("other")
  using _other = other.transport
  await assert.rejects(other.client.list(configMap, { namespace: "default" }), /User "somebody" cannot list/)
  server.stop()
  assert.equal(await server.code, 0, server.warned())
})
