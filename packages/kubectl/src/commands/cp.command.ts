/** `kubectl cp`: tar streams through exec. Mirrors: kubectl pkg/cmd/cp/cp.go */
import { createWriteStream } from "node:fs"
import { lstat, mkdir, readdir, readFile, readlink, stat } from "node:fs/promises"
import { basename, dirname, join, posix, relative, resolve } from "node:path"
import { PassThrough } from "node:stream"
import { pipeline } from "node:stream/promises"
import { extract, pack, type Pack } from "tar-stream"
import { defineKubectlCommand, type CommandContext } from "../command.ts"
import { UsageError } from "../errors.ts"
import { userPath } from "../files/sources.ts"
import { flag } from "../flags.ts"
import { chooseContainer, podPath } from "../pods.ts"
import { fetchObject } from "../resources.ts"
import { runRemote } from "../stream/remote-command.ts"
import { writeTo } from "./exec.command.ts"

export const cp = defineKubectlCommand({
  name: "cp",
  summary: "Copy files and directories to and from containers",
  usage: "<file-spec-src> <file-spec-dest>",
  flags: [
    flag.text("container", {
      short: "c",
      help: "Container name. If omitted, use the kubectl.kubernetes.io/default-container annotation for selecting the container to be attached or the first container in the pod will be chosen",
    }),
    flag.bool(
      "no-preserve",
      "The copied file/directory's ownership and permissions will not be preserved in the container",
    ),
    flag.int(
      "retries",
      "Set number of retries to complete a copy operation from a container. Specify 0 to disable or any negative value for infinite retrying. The default is 0 (no retry).",
    ),
  ],
  run: async (ctx) => {
    if (ctx.args.length !== 2) throw new UsageError(ctx.path, "source and destination are required")
    const source = parseSpec(ctx.args[0]!)
    const target = parseSpec(ctx.args[1]!)
    if (source.pod && target.pod) throw new Error("one of src or dest must be a local file specification")
    if (!source.path || !target.path) throw new Error("filepath can not be empty")
    if (source.pod) return download(ctx, source, target.path)
    if (target.pod) return upload(ctx, source.path, target)
    throw new Error("one of src or dest must be a remote file specification")
  },
})

interface FileSpec {
  readonly namespace: string
  readonly pod: string
  readonly path: string
}

function parseSpec(text: string): FileSpec {
  const colon = text.indexOf(":")
  if (colon < 0) return { namespace: "", pod: "", path: text }
  if (colon === 0) throw new Error("filespec must match the canonical format: [[namespace/]pod:]file/path")
  const path = text.slice(colon + 1)
  const parts = text.slice(0, colon).split("/")
  if (parts.length === 1) return { namespace: "", pod: parts[0]!, path }
  if (parts.length === 2) return { namespace: parts[0]!, pod: parts[1]!, path }
  throw new Error("filespec must match the canonical format: [[namespace/]pod:]file/path")
}

interface Remote {
  run(
    command: readonly string[],
    streams: { stdin?: PassThrough | Pack; stdout?: (data: Buffer) => void | Promise<void> },
  ): Promise<void>
}

async function remoteOf(ctx: CommandContext, spec: FileSpec): Promise<Remote> {
  const resource = await (await ctx.factory.mapper()).resource("pods")
  const namespace = spec.namespace || (await ctx.factory.namespace()).namespace
  const api = await ctx.factory.api()
  const pod = await fetchObject(api, { resource, namespace, name: spec.pod })
  const container = chooseContainer(ctx, pod, ctx.flags.text("container"), false)
  const path = await podPath(ctx, pod, "exec")
  return {
    async run(command, { stdin, stdout }) {
      const query = new URLSearchParams()
      for (const word of command) query.append("command", word)
      query.set("container", container)
      if (stdin) query.set("stdin", "true")
      query.set("stdout", "true")
      query.set("stderr", "true")
      await runRemote(api, ctx.io, `${path}?${query}`, {
        stdin: stdin as PassThrough | undefined,
        ...(stdout ? { stdout } : {}),
        stderr: (data) => writeTo(ctx.io.stderr, data),
      })
    },
  }
}

async function upload(ctx: CommandContext, source: string, target: FileSpec): Promise<void> {
  const local = userPath(ctx, source)
  try {
    await stat(local)
  } catch (cause) {
    throw new Error(`${source} doesn't exist in local filesystem`, { cause })
  }
  const remote = await remoteOf(ctx, target)
  let path = target.path.endsWith("/") && target.path !== "/" ? target.path.slice(0, -1) : target.path
  try {
    await remote.run(["test", "-d", path], {})
    path = posix.join(path, basename(local))
  } catch {
    // Not a folder: the file gets this name.
  }
  const tar = pack()
  const command = [
    "tar",
    ...(ctx.flags.bool("no-preserve") ? ["--no-same-permissions", "--no-same-owner"] : []),
    "-xmf",
    "-",
    "-C",
    posix.dirname(path),
  ]
  const filling = fill(tar, local, posix.basename(path)).then(() => tar.finalize())
  await Promise.all([filling, remote.run(command, { stdin: tar.pipe(new PassThrough()) })])
}

async function fill(tar: Pack, local: string, name: string): Promise<void> {
  const info = await lstat(local)
  const common = { name, mode: info.mode & 0o7777, mtime: info.mtime, uid: info.uid, gid: info.gid }
  if (info.isDirectory()) {
    const entries = await readdir(local)
    if (entries.length === 0) tar.entry({ ...common, type: "directory" })
    for (const entry of entries) await fill(tar, join(local, entry), posix.join(name, entry))
    return
  }
  if (info.isSymbolicLink()) {
    const linkname = await readlink(local)
    tar.entry({ ...common, type: "symlink", linkname })
    return
  }
  if (!info.isFile()) throw new Error(`${local} is neither a file, a directory nor a symbolic link`)
  const data = await readFile(local)
  await new Promise<void>((done, fail) => tar.entry(common, data, (error) => (error ? fail(error) : done())))
}

async function download(ctx: CommandContext, source: FileSpec, target: string): Promise<void> {
  const remote = await remoteOf(ctx, source)
  const prefix = posix.normalize(source.path).replace(/^\/+/, "").replace(/\/$/, "")
  const local = userPath(ctx, target)
  const untar = extract()
  const output = new PassThrough()
  const saving = save(ctx, untar, prefix, await targetOf(local, prefix))
  const piping = pipeline(output, untar)
  const running = remote
    .run(["tar", "cf", "-", source.path], { stdout: (data) => writeTo(output, data) })
    .then(() => output.end())
    .catch((thrown: unknown) => {
      output.destroy(thrown as Error)
      throw thrown
    })
  await Promise.all([running, piping, saving])
}

async function targetOf(local: string, prefix: string): Promise<string> {
  try {
    if ((await stat(local)).isDirectory()) return join(local, posix.basename(prefix))
  } catch {
    // It will be made.
  }
  return local
}

/** What a container's file keeps of its mode here: no set-user-ID, set-group-ID or sticky bit. */
const permissions = 0o777

/** Writes what comes out of the container; nothing may leave the target. */
async function save(
  ctx: CommandContext,
  untar: ReturnType<typeof extract>,
  prefix: string,
  target: string,
): Promise<void> {
  for await (const entry of untar) {
    const { header } = entry
    const name = header.name.replace(/^\/+/, "")
    if (!name.startsWith(prefix)) throw new Error("tar contents corrupted")
    const inside = posix.normalize(name.slice(prefix.length).replace(/^\/+/, ""))
    const path = inside === "." || inside === "" ? target : join(target, inside)
    const outside = relative(resolve(target), resolve(path))
    if (outside === ".." || outside.startsWith("../")) {
      ctx.err(`warning: file ${JSON.stringify(name)} is outside target destination, skipping\n`)
      entry.resume()
      continue
    }
    if (header.type === "directory") {
      await mkdir(path, { recursive: true })
      entry.resume()
      continue
    }
    if (header.type === "symlink") {
      ctx.err(
        `warning: skipping symlink: ${JSON.stringify(path)} -> ${JSON.stringify(header.linkname ?? "")} (consider using "kubectl exec -n ... -- tar cf - ... | tar xf -")\n`,
      )
      entry.resume()
      continue
    }
    await mkdir(dirname(path), { recursive: true })
    await pipeline(entry, createWriteStream(path, { mode: (header.mode ?? 0o644) & permissions }))
  }
}
