import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { buffer } from "node:stream/consumers"
import { test } from "node:test"
import { gzipSync } from "node:zlib"
import { Scope, silentLogger, systemClock, systemRandom } from "@knarr/base"
import { pack } from "tar-stream"
import { loadImageArchive, startImageRegistry } from "./index.ts"

const env = { clock: systemClock, random: systemRandom, log: silentLogger }
const signal = new AbortController().signal
const sha = (content: Buffer | string): string =>
  `sha256:${createHash("sha256").update(content).digest("hex")}`

async function archive(files: Record<string, Buffer | string>): Promise<Buffer> {
  const tar = pack()
  for (const [name, content] of Object.entries(files)) tar.entry({ name }, content as Buffer)
  tar.finalize()
  return buffer(tar)
}

async function withRegistry(fn: (url: string, dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "registry-"))
  const scope = new Scope("test")
  try {
    const { port } = await startImageRegistry({
      dir: join(dir, "images"),
      env,
      scope,
      addresses: ["127.0.0.1"],
      port: 0,
    })
    await fn(`http://127.0.0.1:${port}`, dir)
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
    const load = { file, registry: url, normalizeName, signal }
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
    await loadImageArchive({ file, registry: url, normalizeName, signal })
    writeFileSync(file, gzipSync(await docker(["a:2"], [...layers, "third layer"])))
    const result = await loadImageArchive({ file, registry: url, normalizeName, signal })
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
    const result = await loadImageArchive({ file, registry: url, normalizeName, signal })
    assert.deepEqual(result.images, ["docker.io/library/x:1"])
    assert.equal((await fetch(`${url}/v2/library/x/manifests/1?ns=docker.io`)).status, 200)
  }))

test("what is no archive, or not whole, is refused by name", () =>
  withRegistry(async (url, dir) => {
    const file = join(dir, "bad.tar")
    const load = { file, registry: url, normalizeName, signal }
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
