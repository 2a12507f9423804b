/** What a container runtime does for volumes of images: it keeps their files, and says how to mount them. */

/** As mount(2) takes it, the type `bind` for a folder. */
export interface SnapshotMount {
  readonly type: string
  readonly source: string
  /** For example `ro`, `lowerdir=/a:/b`. */
  readonly options: readonly string[]
}

export interface ImageSnapshots {
  /** A read-only view of the image, kept under `key` until it is removed. Idempotent. */
  view(imageId: string, key: string, signal: AbortSignal): Promise<readonly SnapshotMount[]>
  /** Idempotent. */
  remove(key: string, signal: AbortSignal): Promise<void>
}

const lowerDirs = "lowerdir="

/**
 * The arguments of `mount` for it, read-only, and the folder to call it in: an overlay of many layers is named by paths
 * from there, since the kernel takes one page of options.
 */
export function snapshotMountArguments(
  { type, source, options }: SnapshotMount,
  dir: string,
): { readonly args: readonly string[]; readonly cwd: string } {
  if (type === "bind") return { args: ["--bind", "-o", "ro", source, dir], cwd: "/" }
  const layers = options.find((option) => option.startsWith(lowerDirs))
  const cwd = layers === undefined ? "/" : commonFolder(layers.slice(lowerDirs.length).split(":"))
  const flags = options.map((option) =>
    option === layers && cwd !== "/" ? lowerDirs + relativeTo(cwd, option.slice(lowerDirs.length)) : option,
  )
  if (!flags.includes("ro")) flags.push("ro")
  return { args: ["-t", type, "-o", flags.join(","), source, dir], cwd }
}

function relativeTo(folder: string, paths: string): string {
  return paths
    .split(":")
    .map((path) => path.slice(folder.length + 1))
    .join(":")
}

/** The deepest folder that all paths are below. */
function commonFolder(paths: readonly string[]): string {
  const [first = "", ...others] = paths.map((path) => path.split("/").slice(0, -1))
  if (first === "") return "/"
  let depth = first.length
  for (const other of others) {
    let same = 0
    while (same < depth && first[same] === other[same]) same++
    depth = same
  }
  return first.slice(0, depth).join("/") || "/"
}
