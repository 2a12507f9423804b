/** Serves the node's log folder, as `/logs/` of the kubelet does: files as they are, folders as a list of links. */
import { createReadStream } from "node:fs"
import { readdir, realpath, stat } from "node:fs/promises"
import type { ServerResponse } from "node:http"
import { join, normalize, sep } from "node:path"
import { pipeline } from "node:stream/promises"
import { HttpError } from "./http-error.ts"

export async function serveNodeLogs(
  response: ServerResponse,
  dir: string,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  const below = decodeURIComponent(path.slice("/logs".length)) || "/"
  if (below.includes("\0")) throw new HttpError(400, "invalid path")
  const file = await realpath(join(dir, normalize(below))).catch(notFound)
  const root = await realpath(dir).catch(notFound)
  if (file !== root && !file.startsWith(root + sep)) return notFound()
  const info = await stat(file).catch(notFound)
  if (info.isDirectory()) {
    if (!path.endsWith("/"))
      return void response.writeHead(301, { Location: `${path.split("/").at(-1)}/` }).end()
    const entries = await readdir(file, { withFileTypes: true })
    const links = entries
      .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
      .sort()
      .map((name) => `<a href="${escapeHtml(encodeURI(name))}">${escapeHtml(name)}</a>\n`)
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" })
    return void response.end(
      `<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n${links.join("")}</pre>\n`,
    )
  }
  response.writeHead(200, { "Content-Type": "text/plain; charset=utf-8" })
  await pipeline(createReadStream(file, { end: Math.max(info.size - 1, 0) }), response, { signal })
}

function notFound(): never {
  throw new HttpError(404, "404 page not found")
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
