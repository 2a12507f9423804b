/**
 * The image registry: requests of pushes and pulls in any order and form are answered, never with its own fault; what
 * was pushed is pulled as the same bytes; and it goes on serving.
 */
import { createHash } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startImageRegistry } from "@knarr/image-registry"
import type { Draw } from "../draw.ts"
import { ask, type Answer, type Sent } from "../servers.ts"
import { defineTarget, expect } from "../target.ts"

const secret = "s"
const headers = { authorization: `Bearer ${secret}`, host: "127.0.0.1" }
const digest = (text: string): string => `sha256:${createHash("sha256").update(text, "latin1").digest("hex")}`
const names = [
  "a",
  "library/hello",
  "a/b/c",
  "A",
  "..",
  "a//b",
  "_catalog",
  "a/manifests/b",
  "%2e%2e",
  "a%00",
]
const contents = ["", "hello", "layer", "\xff\0"]
const digests = [...contents.map(digest), "sha256:x", "sha512:" + "0".repeat(128), "md5:0", "sha256:../../x"]

function manifest(draw: Draw): string {
  const part = (): unknown => ({
    mediaType: "a/b",
    digest: draw.pick(digests),
    size: draw.pick([0, 5, -1, "x"]),
  })
  const value = {
    schemaVersion: 2,
    mediaType: draw.pick(["application/vnd.oci.image.manifest.v1+json", "x", "\r\n", 1]),
    ...(draw.chance(0.8)
      ? { config: part(), layers: draw.list(4, part) }
      : { manifests: draw.list(4, part) }),
  }
  return JSON.stringify(draw.chance(0.4) ? draw.mutateJson(value) : value)
}

export const registry = defineTarget<{ requests: Sent[]; follow: boolean }>({
  name: "registry",
  quick: 120,
  grows: false,
  async open({ scope, env }) {
    const dir = mkdtempSync(join(tmpdir(), "fuzz-registry-"))
    scope.defer(() => rmSync(dir, { recursive: true }))
    const { port } = await startImageRegistry({
      ...{ dir: join(dir, "images"), env, scope, addresses: ["127.0.0.1"], port: 0, secret },
      nodeNetworks: ["127.0.0.0/8"],
    })
    const options = {
      host: "127.0.0.1",
      port,
      agent: false as const,
      secure: false,
      encoding: "latin1" as const,
    }
    const send = async (sent: Sent): Promise<Answer | undefined> => {
      const answer = await ask(options, sent)
      if (answer) expect(answer.status < 500, `answers ${answer.status}`, sent, answer.body.slice(0, 300))
      return answer
    }
    return {
      generate(draw) {
        const name = (): string =>
          draw.chance(0.2) ? encodeURI(draw.mutate(draw.pick(names)).toWellFormed()) : draw.pick(names)
        const query = (): string =>
          draw
            .list(3, () =>
              draw.pick([
                `digest=${draw.pick(digests)}`,
                "ns=docker.io",
                "ns=../x",
                "mount=" + draw.pick(digests),
                "from=a",
                "n=1",
                "last=x",
              ]),
            )
            .join("&")
        const request = (): Sent =>
          draw.pick<() => Sent>([
            () => ({
              method: "POST",
              path: `/v2/${name()}/blobs/uploads/?${query()}`,
              headers,
              body: draw.pick(contents),
            }),
            () => ({
              method: "POST",
              path: `/v2/a/blobs/uploads/?digest=${draw.pick(digests)}`,
              headers,
              body: draw.pick(contents),
            }),
            () => ({
              method: draw.pick(["PATCH", "PUT", "DELETE", "GET"]),
              path: `/v2/a/blobs/uploads/${draw.pick(["UPLOAD", "x", "../x", ""])}?${query()}`,
              headers: {
                ...headers,
                ...(draw.chance(0.3) ? { "content-range": draw.pick(["0-4", "5-1", "x"]) } : {}),
              },
              body: draw.pick(contents),
            }),
            () => ({
              method: "PUT",
              path: `/v2/${name()}/manifests/${draw.pick(["latest", "1", ...digests, "-", "a/b"])}?${query()}`,
              headers: {
                ...headers,
                "content-type": draw.pick(["application/json", "a/b", "", "x".repeat(300)]),
              },
              body: manifest(draw),
            }),
            () => ({
              method: draw.pick(["GET", "HEAD", "DELETE", "OPTIONS"]),
              path: `/v2/${name()}/${draw.pick(["manifests", "blobs", "tags", "x"])}/${draw.pick(["latest", "1", "list", ...digests])}?${query()}`,
              headers: {
                ...headers,
                ...(draw.chance(0.3)
                  ? { range: draw.pick(["bytes=0-1", "bytes=9-", "bytes=-1", "bytes=5-1", "x"]) }
                  : {}),
              },
            }),
            () => ({
              method: "GET",
              path: draw.pick(["/v2/", "/v2/_catalog", "/v2", "/", "/v2/%ff", "//v2//", "/v2/a/tags/list"]),
              headers: draw.chance(0.3) ? { host: draw.pick(["x", "[::1", "", "127.0.0.1:1:1"]) } : headers,
            }),
          ])()
        return { requests: [request(), ...draw.list(8, request)], follow: draw.chance(0.8) }
      },
      async check({ requests, follow }) {
        if (!Array.isArray(requests)) return
        let upload = ""
        for (const request of requests as readonly Sent[]) {
          const path = follow ? String(request.path).replace("UPLOAD", upload) : String(request.path)
          if (!path.startsWith("/")) continue
          const answer = await send({ ...request, path })
          const location = answer?.headers.location
          if (answer?.status === 202 && location?.includes("/uploads/"))
            upload = location.split("/uploads/")[1]!
          const stored = answer?.status === 201 ? answer.headers["docker-content-digest"] : undefined
          if (stored === undefined || !path.includes("/blobs/")) continue
          const pulled = await send({ method: "GET", path: `/v2/a/blobs/${String(stored)}`, headers })
          expect(pulled?.status === 200, "what was pushed cannot be pulled", path, pulled)
        }
        const alive = await send({ method: "GET", path: "/v2/", headers })
        expect(alive?.status === 200, "the registry answers no more", alive)
      },
    }
  },
})
