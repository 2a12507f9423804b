import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs"
import { request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { buffer } from "node:stream/consumers"
import { test } from "node:test"
import { gzipSync } from "node:zlib"
import { Scope, VirtualClock, silentLogger, systemRandom, Meter } from "@knarr/base"
import { pack } from "tar-stream"
import { loadImageArchive, startImageRegistry, type ImageRegistryOptions } from "./index.ts"

const signal = new AbortController().signal
const sha = (content: Buffer | string): string =>
  `sha256:${createHash("sha256").update(content).digest("hex")}`

async function archive(files: Record<string, Buffer | string>): Promise<Buffer> {
  const tar = pack()
  for (const [name, content] of Object.entries(files)) tar.entry({ name }, content as Buffer)
  tar.finalize()
  return buffer(tar)
}

const secret = "the-secret"
const authorization = `Bearer ${secret}`
const fetch = (url: string, init: RequestInit = {}): Promise<Response> =>
  globalThis.fetch(url, { ...init, headers: { authorization, ...(init.headers as Record<string, string>) } })

async function withRegistry(
  fn: (url: string, dir: string, clock: VirtualClock) => Promise<void>,
  options: Partial<ImageRegistryOptions> = {},
): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "registry-"))
  const scope = new Scope("test")
  const clock = new VirtualClock()
  try {
    const { port } = await startImageRegistry({
      dir: join(dir, "images"),
      env: { clock, random: systemRandom, log: silentLogger, meter: new Meter() },
      scope,
      addresses: ["127.0.0.1"],
      port: 0,
      secret,
      nodeNetworks: [],
      ...options,
    })
    await fn(`http://127.0.0.1:${port}`, dir, clock)
  } finally {
    await scope.close()
    rmSync(dir, { recursive: true })
  }
}

const layers = ["first layer", "second layer"]
const docker = (tags: string[], layerTexts = layers): Promise<Buffer> =>
  archive({
    "config.json": JSON.stringify({ rootfs: { diff_ids: layerTexts.map(sha) } }),
    ...Object.fromEntries(layerTexts.map((text, i) => [`${i}/layer.tar`, text])),
    "manifest.json": JSON.stringify([
      { Config: "config.json", RepoTags: tags, Layers: layerTexts.map((_, i) => `${i}/layer.tar`) },
    ]),
  })
const normalizeName = (name: string): string => (name.includes("/") ? name : `docker.io/library/${name}`)

test("a docker archive is loaded once and pulled under its host's name", () =>
  withRegistry(async (url, dir) => {
    const file = join(dir, "image.tar")
    writeFileSync(file, await docker(["hello:1"]))
    const load = { file, registry: url, secret, normalizeName, signal }
    assert.deepEqual(await loadImageArchive(load), {
      images: ["docker.io/library/hello:1"],
      blobsSent: 3,
      blobsKept: 0,
    })
    assert.deepEqual(await loadImageArchive(load), {
      images: ["docker.io/library/hello:1"],
      blobsSent: 0,
      blobsKept: 3,
    })

    const head = await fetch(`${url}/v2/library/hello/manifests/1?ns=docker.io`, { method: "HEAD" })
    assert.equal(head.status, 200)
    assert.equal(head.headers.get("content-type"), "application/vnd.oci.image.manifest.v1+json")
    const digest = head.headers.get("docker-content-digest")!
    const manifest = await fetch(`${url}/v2/library/hello/manifests/${digest}?ns=docker.io`)
    const text = await manifest.text()
    assert.equal(sha(text), digest)
    const value = JSON.parse(text) as { layers: { digest: string }[] }
    assert.deepEqual(
      value.layers.map((layer) => layer.digest),
      layers.map(sha),
    )
    const blob = await fetch(`${url}/v2/library/hello/blobs/${sha(layers[0]!)}?ns=docker.io`, {
      headers: { range: "bytes=6-" },
    })
    assert.equal(blob.status, 206)
    assert.equal(await blob.text(), "layer")
    assert.equal((await fetch(`${url}/v2/library/hello/manifests/1?ns=ghcr.io`)).status, 404)
  }))

test("only layers that are missing are sent", () =>
  withRegistry(async (url, dir) => {
    const file = join(dir, "image.tar.gz")
    writeFileSync(file, gzipSync(await docker(["a:1"])))
    await loadImageArchive({ file, registry: url, secret, normalizeName, signal })
    writeFileSync(file, gzipSync(await docker(["a:2"], [...layers, "third layer"])))
    const result = await loadImageArchive({ file, registry: url, secret, normalizeName, signal })
    assert.deepEqual(result, { images: ["docker.io/library/a:2"], blobsSent: 2, blobsKept: 2 })
  }))

test("an OCI archive is loaded", () =>
  withRegistry(async (url, dir) => {
    const config = "{}"
    const manifest = JSON.stringify({
      schemaVersion: 2,
      config: { digest: sha(config) },
      layers: [{ digest: sha("layer") }],
    })
    const blob = (text: string): [string, string] => [`blobs/${sha(text).replace(":", "/")}`, text]
    const index = {
      manifests: [
        {
          digest: sha(manifest),
          mediaType: "application/vnd.oci.image.manifest.v1+json",
          annotations: { "io.containerd.image.name": "docker.io/library/x:1" },
        },
      ],
    }
    const file = join(dir, "oci.tar")
    writeFileSync(
      file,
      await archive({
        "oci-layout": "{}",
        "index.json": JSON.stringify(index),
        ...Object.fromEntries([blob(config), blob(manifest), blob("layer")]),
      }),
    )
    const result = await loadImageArchive({ file, registry: url, secret, normalizeName, signal })
    assert.deepEqual(result.images, ["docker.io/library/x:1"])
    assert.equal((await fetch(`${url}/v2/library/x/manifests/1?ns=docker.io`)).status, 200)
  }))

test("what is no archive, or not whole, is refused by name", () =>
  withRegistry(async (url, dir) => {
    const file = join(dir, "bad.tar")
    const load = { file, registry: url, secret, normalizeName, signal }
    writeFileSync(file, "this is not a tar archive".repeat(100))
    await assert.rejects(loadImageArchive(load), /Cannot (read|load) ".*bad\.tar"/)
    writeFileSync(file, await archive({ "readme.txt": "hello" }))
    await assert.rejects(loadImageArchive(load), /is no docker or OCI image archive/)
    writeFileSync(
      file,
      await archive({
        "manifest.json": JSON.stringify([{ Config: "c.json", RepoTags: ["a:1"], Layers: [] }]),
      }),
    )
    await assert.rejects(loadImageArchive(load), /does not hold "c\.json"/)
    const upload = await fetch(`${url}/v2/a/blobs/uploads/?digest=${sha("a")}`, { method: "POST", body: "b" })
    assert.equal(upload.status, 400)
    assert.match(await upload.text(), /DIGEST_INVALID/)
    assert.equal((await fetch(`${url}/v2/../../etc/passwd/manifests/x`)).status, 404)
  }))

test("an archive whose parts have another form is refused by name, and so is a blob that leads to itself", () =>
  withRegistry(async (url, dir) => {
    const file = join(dir, "bad.tar")
    const load = { file, registry: url, secret, normalizeName, signal }
    const zeros = `sha256:${"0".repeat(64)}`
    const named = { "org.opencontainers.image.ref.name": "x:1" }
    const oci = (index: unknown, blobs: Record<string, string> = {}): Record<string, string> => ({
      "oci-layout": "{}",
      "index.json": JSON.stringify(index),
      ...blobs,
    })
    const item = { Config: "c", RepoTags: ["a:1"], Layers: ["l"] }
    const cases: readonly (readonly [files: Record<string, string>, message: RegExp])[] = [
      [oci(null), /names no image/],
      [oci({ manifests: {} }), /names no image/],
      [oci({ manifests: [null] }), /no SHA-256 digest: null/],
      [oci({ manifests: [{ digest: 1, annotations: named }] }), /no SHA-256 digest/],
      [oci({ manifests: [{ digest: zeros, annotations: named }] }), /does not hold the blob/],
      [
        oci(
          { manifests: [{ digest: zeros, annotations: named }] },
          { [`blobs/${zeros.replace(":", "/")}`]: JSON.stringify({ manifests: [{ digest: zeros }] }) },
        ),
        /the blob sha256:0+ has the digest sha256:/,
      ],
      [{ "manifest.json": "{" }, /"manifest.json" is no JSON/],
      [{ "manifest.json": "null" }, /names no image/],
      [{ "manifest.json": "[null, 1]" }, /does not hold ""/],
      [{ "manifest.json": JSON.stringify([{ ...item, Layers: "l" }]), c: "{}" }, /^$/],
      [{ "manifest.json": JSON.stringify([{ ...item, RepoTags: [1] }]), c: "{}", l: "" }, /names no image/],
    ]
    for (const [files, message] of cases) {
      writeFileSync(file, await archive(files))
      let said = ""
      try {
        await loadImageArchive(load)
      } catch (thrown) {
        said = (thrown as Error).message
      }
      assert.match(said, message, JSON.stringify(files))
    }
  }))

test("a push in pieces works as container tools do it", () =>
  withRegistry(async (url) => {
    const start = await fetch(`${url}/v2/tool/blobs/uploads/`, { method: "POST" })
    assert.equal(start.status, 202)
    const at = url + start.headers.get("location")!
    assert.equal((await fetch(at, { method: "PATCH", body: "hello " })).status, 202)
    const done = await fetch(`${at}?digest=${sha("hello world")}`, { method: "PUT", body: "world" })
    assert.equal(done.status, 201)
    const unknown = JSON.stringify({ config: { digest: sha("nothing") } })
    assert.equal((await fetch(`${url}/v2/tool/manifests/1`, { method: "PUT", body: unknown })).status, 404)
    const manifest = JSON.stringify({ config: { digest: sha("hello world") }, layers: [] })
    assert.equal((await fetch(`${url}/v2/tool/manifests/1`, { method: "PUT", body: manifest })).status, 201)
    assert.deepEqual(await (await fetch(`${url}/v2/tool/tags/list`)).json(), { name: "tool", tags: ["1"] })
  }))

/** A request with exactly these headers; the status of its answer, 0 when there is none. */
function ask(url: string, method: string, headers: Record<string, string>, body?: string): Promise<number> {
  return new Promise((resolve) => {
    const sent = request(url, { method, headers, agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    sent.on("error", () => resolve(0))
    sent.end(body)
  })
}

const basic = (text: string): string => `Basic ${Buffer.from(text).toString("base64")}`
const missing = sha("nothing")
/** What is asked, and whether a node may without the secret. */
const doors: readonly (readonly [method: string, path: string, forNodes: boolean])[] = [
  ["GET", "/v2/", false],
  ["GET", "/v2/_catalog", false],
  ["GET", "/v2/a/tags/list", false],
  ["GET", "/v2/a/manifests/1?ns=docker.io", true],
  ["HEAD", "/v2/a/manifests/1?ns=docker.io", true],
  ["GET", `/v2/a/blobs/${missing}?ns=docker.io`, true],
  ["HEAD", `/v2/a/blobs/${missing}`, true],
  ["POST", "/v2/a/blobs/uploads/", false],
  ["PATCH", "/v2/a/blobs/uploads/0", false],
  ["PUT", `/v2/a/blobs/uploads/0?digest=${missing}`, false],
  ["DELETE", "/v2/a/blobs/uploads/0", false],
  ["PUT", "/v2/a/manifests/1", false],
  ["DELETE", "/v2/a/manifests/1", false],
  ["PUT", "/v2/library/nginx/manifests/latest?ns=docker.io", false],
]

for (const [who, nodeNetworks] of [
  ["anybody", ["192.0.2.0/24"]],
  ["a node", ["127.0.0.0/8"]],
] as const) {
  test(`${who} without the secret may ${who === "a node" ? "pull and nothing else" : "nothing"}`, () =>
    withRegistry(
      async (url) => {
        for (const [method, path, forNodes] of doors) {
          for (const headers of [
            {},
            { authorization: "Bearer x" },
            { authorization: basic(`knarr:${secret}x`) },
          ]) {
            const status = await ask(
              url + path,
              method,
              headers as Record<string, string>,
              method === "GET" ? undefined : "x",
            )
            const may = forNodes && who === "a node"
            assert.equal(status, may ? 404 : 401, `${method} ${path}`)
          }
        }
      },
      { nodeNetworks },
    ))
}

test("the secret is a bearer token or anybody's password", () =>
  withRegistry(async (url) => {
    for (const [authorization, status] of [
      [`Bearer ${secret}x`, 401],
      [`Bearer ${secret}`, 200],
      [basic(`knarr:${secret}`), 200],
      [basic(`:${secret}`), 200],
      [`basic ${basic(`a:${secret}`).slice(6)}`, 200],
      [basic(secret), 200],
      [basic(`${secret}:`), 401],
      ["", 401],
      ["Basic", 401],
    ] as const)
      assert.equal(await ask(`${url}/v2/`, "GET", { authorization }), status, authorization)
  }))

test("a request for another host is not answered, whatever it knows", () =>
  withRegistry(
    async (url) => {
      const { port } = new URL(url)
      const authorization = basic(`a:${secret}`)
      for (const [host, status] of [
        [`127.0.0.1:${port}`, 200],
        [`localhost:${port}`, 200],
        ["LOCALHOST", 200],
        ["evil.example.com", 421],
        [`127.0.0.1.evil.example.com:${port}`, 421],
        [`[::1]:${port}`, 421],
        ["127.0.0.2", 421],
      ] as const)
        assert.equal(await ask(`${url}/v2/`, "GET", { host, authorization }), status, host)
    },
    { nodeNetworks: ["127.0.0.0/8"] },
  ))

const uploadsOf = (dir: string): string[] => readdirSync(join(dir, "images/uploads"))
const bearer = { authorization: basic(`a:${secret}`) }

test("uploads are bounded in number and size, and removed when nobody goes on", () =>
  withRegistry(
    async (url, dir, clock) => {
      const begin = async (): Promise<string> =>
        url + (await fetch(`${url}/v2/a/blobs/uploads/`, { method: "POST" })).headers.get("location")!
      const first = await begin()
      const second = await begin()
      assert.equal(await ask(`${url}/v2/a/blobs/uploads/`, "POST", bearer), 429)
      assert.equal(uploadsOf(dir).length, 2)
      assert.equal((await fetch(first, { method: "PATCH", body: "12345678" })).status, 202)
      assert.equal((await fetch(first, { method: "PATCH", body: "12345" })).status, 413)
      assert.equal((await fetch(`${first}?digest=${sha("12345678")}`, { method: "PUT" })).status, 201)
      assert.equal((await fetch(`${second}?digest=${missing}`, { method: "PUT", body: "1" })).status, 400)
      assert.deepEqual(uploadsOf(dir), [])
      const whole = `${url}/v2/a/blobs/uploads/?digest=${sha("12345678901")}`
      assert.equal((await fetch(whole, { method: "POST", body: "12345678901" })).status, 413)
      assert.deepEqual(uploadsOf(dir), [])

      const third = await begin()
      await clock.advance(50_000)
      assert.equal((await fetch(third, { method: "PATCH", body: "1" })).status, 202)
      await clock.advance(50_000)
      assert.equal(uploadsOf(dir).length, 1)
      await clock.advance(10_001)
      assert.deepEqual(uploadsOf(dir), [])
      assert.equal((await fetch(third, { method: "PATCH", body: "1" })).status, 404)
      const fourth = await begin()
      assert.equal((await fetch(fourth, { method: "DELETE" })).status, 204)
      assert.deepEqual(uploadsOf(dir), [])
    },
    { limits: { count: 2, bytes: 10, idleMs: 60_000 } },
  ))

test("a push that is broken off leaves nothing but what came before", () =>
  withRegistry(async (url, dir) => {
    const location = (await fetch(`${url}/v2/a/blobs/uploads/`, { method: "POST" })).headers.get("location")!
    await fetch(url + location, { method: "PATCH", body: "kept " })
    await new Promise<void>((resolve) => {
      const headers = { ...bearer, "content-length": "1000" }
      const sent = request(url + location, { method: "PATCH", headers, agent: false })
      sent.on("error", () => resolve())
      sent.write("lost", () => setImmediate(() => sent.destroy(new Error("gone"))))
    })
    const done = async (): Promise<Response> =>
      fetch(`${url}${location}?digest=${sha("kept all")}`, { method: "PUT", body: "all" })
    let answer = await done()
    // The server may not have heard yet that the other one is gone.
    while (answer.status === 409) answer = await done()
    assert.equal(answer.status, 201)
    assert.deepEqual(uploadsOf(dir), [])
  }))

test("pulls that are broken off close their files", () =>
  withRegistry(async (url, dir) => {
    const big = "x".repeat(8 << 20)
    await fetch(`${url}/v2/a/blobs/uploads/?digest=${sha(big)}`, { method: "POST", body: big })
    const open = (): number =>
      readdirSync("/proc/self/fd").filter((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`).startsWith(dir)
        } catch {
          return false
        }
      }).length
    await Promise.all(
      Array.from(
        { length: 20 },
        () =>
          new Promise<void>((resolve) => {
            const sent = request(
              `${url}/v2/a/blobs/${sha(big)}`,
              { headers: bearer, agent: false },
              (response) =>
                response.once("data", () => {
                  sent.destroy()
                  resolve()
                }),
            )
            sent.on("error", () => {})
            sent.end()
          }),
      ),
    )
    for (let i = 0; i < 1000 && open() > 0; i++) await new Promise((resolve) => setImmediate(resolve))
    assert.equal(open(), 0)
  }))

test("content that no manifest names is removed at the next start", async () => {
  const dir = mkdtempSync(join(tmpdir(), "registry-"))
  try {
    await withRegistry(
      async (url, own) => {
        const file = join(own, "image.tar")
        writeFileSync(file, await docker(["hello:1"]))
        await loadImageArchive({ file, registry: url, secret, normalizeName, signal })
        await fetch(`${url}/v2/a/blobs/uploads/?digest=${sha("orphan")}`, { method: "POST", body: "orphan" })
        await fetch(`${url}/v2/a/blobs/uploads/`, { method: "POST" })
      },
      { dir },
    )
    const blobs = (): string[] => readdirSync(join(dir, "blobs/sha256"))
    assert.equal(blobs().length, 5)
    await withRegistry(
      async (url) => {
        assert.equal(blobs().length, 4)
        assert.deepEqual(readdirSync(join(dir, "uploads")), [])
        const { status } = await fetch(`${url}/v2/library/hello/manifests/1?ns=docker.io`)
        assert.equal(status, 200)
      },
      { dir },
    )
  } finally {
    rmSync(dir, { recursive: true })
  }
})

test("malformed paths, names and manifests are refused, and nothing is logged as a fault of ours", () =>
  withRegistry(async (url) => {
    for (const [method, path, status, body] of [
      ["GET", "/v2/%zz/manifests/1", 400],
      ["GET", "/v2/%2e%2e%2f%2e%2e%2fetc/passwd/manifests/x", 400],
      ["GET", "/v2/a/manifests/..%2f", 400],
      ["GET", "/v2/a/blobs/sha256:..", 404],
      ["GET", "/v2/A/manifests/1", 400],
      ["GET", `/v2/${"a/".repeat(400)}a/manifests/1`, 400],
      ["GET", "/v3/a", 404],
      ["PUT", "/v2/a/manifests/1", 400, "no JSON"],
      ["PUT", "/v2/a/manifests/1", 400, "null"],
      ["PUT", "/v2/a/manifests/1", 400, "[]"],
      ["PUT", "/v2/a/manifests/1", 404, '{"config":{"digest":"../../x"}}'],
      ["PUT", "/v2/a/manifests/1", 404, '{"layers":[{"digest":5}]}'],
      ["PUT", "/v2/a/manifests/1", 400, '{"mediaType":"x y"}'],
      ["PUT", "/v2/a/manifests/1", 413, " ".repeat((4 << 20) + 1)],
      ["POST", "/v2/a/manifests/1", 405, "{}"],
      ["POST", "/v2/a/blobs/uploads/?digest=sha256:..", 400, "x"],
    ] as const)
      assert.equal(
        await ask(url + path, method, bearer, body),
        status,
        `${method} ${path.slice(0, 50)} ${body?.slice(0, 40)}`,
      )
  }))
