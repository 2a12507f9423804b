/** Image archives: tar and gzip of docker's and OCI's layout, whole and broken, are loaded or refused. */
import { createHash } from "node:crypto"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { buffer } from "node:stream/consumers"
import { gzipSync } from "node:zlib"
import { normalizeImageName } from "@knarr/apimachinery"
import { buildImageArchive, loadImageArchive, startImageRegistry } from "@knarr/image-registry"
import { pack } from "tar-stream"
import type { Draw } from "../draw.ts"
import { defineTarget, expect } from "../target.ts"
import { isAccident } from "../target.ts"

const digest = (text: string): string => `sha256:${createHash("sha256").update(text).digest("hex")}`

/** Files of an archive in one of the two layouts. */
function layout(draw: Draw): [name: string, content: string][] {
  const config = "{}"
  const layer = "layer"
  if (draw.chance(0.5)) {
    const list = [
      {
        Config: "config.json",
        RepoTags: [draw.pick(["hello:1", "Bad Name", "a@b", "", "x/y:z"])],
        Layers: ["l/layer.tar"],
      },
    ]
    const value = draw.chance(0.6) ? draw.mutateJson(list) : list
    return [
      ["config.json", config],
      ["l/layer.tar", layer],
      ["manifest.json", JSON.stringify(value)],
    ]
  }
  const manifest = JSON.stringify(
    draw.chance(0.4)
      ? draw.mutateJson({
          schemaVersion: 2,
          config: { digest: digest(config) },
          layers: [{ digest: digest(layer) }],
        })
      : { schemaVersion: 2, config: { digest: digest(config) }, layers: [{ digest: digest(layer) }] },
  )
  const index = {
    manifests: [{ digest: digest(manifest), annotations: { "org.opencontainers.image.ref.name": "x:1" } }],
  }
  const blob = (text: string): [string, string] => [`blobs/${digest(text).replace(":", "/")}`, text]
  const itself = JSON.stringify({ manifests: [{ digest: draw.pick([digest("{}"), "x", digest(manifest)]) }] })
  return [
    ["oci-layout", "{}"],
    ["index.json", JSON.stringify(draw.chance(0.5) ? draw.mutateJson(index) : index)],
    ...[config, manifest, layer, itself].map(blob),
  ]
}

export const imageArchives = defineTarget<{
  files: [string, string][]
  links: [string, string][]
  broken: string
  gzip: boolean
}>({
  name: "image-archives",
  quick: 60,
  grows: false,
  async open({ scope, env }) {
    const dir = mkdtempSync(join(tmpdir(), "fuzz-archives-"))
    scope.defer(() => rmSync(dir, { recursive: true }))
    const { port } = await startImageRegistry({
      ...{
        dir: join(dir, "images"),
        env,
        scope,
        addresses: ["127.0.0.1"],
        port: 0,
        secret: "s",
        nodeNetworks: [],
      },
    })
    const good = await buildImageArchive({ name: "good:1", files: [{ path: "a", content: "b" }] })
    const goodText = good.toString("latin1")
    const file = join(dir, "image.tar")
    const load = (): Promise<unknown> =>
      loadImageArchive({
        ...{ file, registry: `http://127.0.0.1:${port}`, secret: "s" },
        normalizeName: normalizeImageName,
        signal: scope.signal,
      })
    return {
      generate: (draw) => ({
        files: layout(draw),
        links: draw.list(3, () => [
          draw.pick(["a", "l/layer.tar", "index.json"]),
          draw.pick(["../x", "l/layer.tar", "%zz", "http://[", "a"]),
        ]),
        // Another archive, byte by byte.
        broken: draw.chance(0.4) ? draw.mutate(goodText) : "",
        gzip: draw.chance(0.3),
      }),
      async check({ files, links, broken, gzip }) {
        const tar = pack()
        if (!isPairs(files) || !isPairs(links)) return
        for (const [name, content] of files) tar.entry({ name: String(name) }, String(content))
        for (const [name, linkname] of links)
          tar.entry({ name: String(name), type: "symlink", linkname: String(linkname) })
        tar.finalize()
        const bytes =
          typeof broken === "string" && broken !== "" ? Buffer.from(broken, "latin1") : await buffer(tar)
        writeFileSync(file, gzip ? gzipSync(bytes) : bytes)
        try {
          await load()
        } catch (thrown) {
          if (isAccident(thrown)) throw thrown
          expect(
            /^Cannot |^couldn't |invalid /.test((thrown as Error).message),
            "a refusal does not say what is wrong",
            (thrown as Error).message,
          )
        }
        writeFileSync(file, good)
        await load()
      },
    }
  },
})

function isPairs(value: unknown): value is [string, string][] {
  return Array.isArray(value) && value.every((item: unknown) => Array.isArray(item) && item.length === 2)
}
