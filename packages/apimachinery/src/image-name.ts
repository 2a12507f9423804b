/** Names of container images. Mirrors: distribution/reference, as kubelet and containerd use it */

/** The parts of an image name as it was written. */
export interface ImageName {
  /** `registry.k8s.io`, `docker.io`, `localhost:5000`. */
  readonly domain: string
  /** `library/busybox`. */
  readonly path: string
  readonly tag?: string | undefined
  /** `sha256:…`. */
  readonly digest?: string | undefined
}

const defaultDomain = "docker.io"
const legacyDefaultDomain = "index.docker.io"

const domainPart = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
const domainName = `${domainPart}(?:\\.${domainPart})*`
const domainText = `(?:${domainName}|\\[(?:[a-fA-F0-9:]+)\\])(?::[0-9]+)?`
const pathPart = "[a-z0-9]+(?:(?:[._]|__|[-]+)[a-z0-9]+)*"
const pathText = `${pathPart}(?:/${pathPart})*`
const nameText = `(?:(${domainText})/)?(${pathText})`
const tagText = "[\\w][\\w.-]{0,127}"
const digestText = "[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*[:][0-9a-fA-F]{32,}"
const reference = new RegExp(`^(?:${nameText})(?::(${tagText}))?(?:@(${digestText}))?$`)
const maxNameLength = 255

/**
 * Reads an image name and puts in what Docker Hub's short names leave out: `busybox` is `docker.io/library/busybox`.
 * Neither tag nor digest is made up. Throws an Error in upstream's words.
 */
export function parseImageName(text: string): ImageName {
  const read = readImageName(text)
  if (typeof read !== "string") return read
  throw new Error(`couldn't parse image name ${JSON.stringify(text)}: ${read}`)
}

/** The name, or what is wrong with it. */
function readImageName(text: string): ImageName | string {
  if (/^[a-f0-9]{64}$/.test(text)) {
    return `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`
  }
  const { domain, remainder } = splitDomain(text)
  const end = remainder.search(/[:@]/)
  const remote = end < 0 ? remainder : remainder.slice(0, end)
  if (remote !== remote.toLowerCase()) {
    return `invalid reference format: repository name (${remote}) must be lowercase`
  }
  const m = reference.exec(`${domain}/${remainder}`)
  if (!m || m[1] === undefined) return "invalid reference format"
  const path = m[2]!
  if (domain.length + 1 + path.length > maxNameLength) {
    return `repository name must not be more than ${maxNameLength} characters`
  }
  const digest = m[4]
  if (digest?.startsWith("sha256:") && !/^sha256:[a-f0-9]{64}$/.test(digest)) {
    return "invalid checksum digest format"
  }
  const out: { -readonly [K in keyof ImageName]: ImageName[K] } = { domain, path }
  if (m[3] !== undefined) out.tag = m[3]
  if (digest !== undefined) out.digest = digest
  return out
}

function splitDomain(text: string): { domain: string; remainder: string } {
  const slash = text.indexOf("/")
  const first = slash < 0 ? "" : text.slice(0, slash)
  const isDomain =
    slash >= 0 && (/[.:]/.test(first) || first === "localhost" || first.toLowerCase() !== first)
  let domain = isDomain ? first : defaultDomain
  let remainder = isDomain ? text.slice(slash + 1) : text
  if (domain === legacyDefaultDomain) domain = defaultDomain
  if (domain === defaultDomain && !remainder.includes("/")) remainder = `library/${remainder}`
  return { domain, remainder }
}

/** The whole name; an image with neither tag nor digest gets `:latest`. */
export function formatImageName(image: ImageName): string {
  let out = `${image.domain}/${image.path}`
  if (image.tag !== undefined) out += `:${image.tag}`
  else if (image.digest === undefined) out += ":latest"
  return image.digest === undefined ? out : `${out}@${image.digest}`
}

/** `busybox` is `docker.io/library/busybox:latest`. Throws as {@link parseImageName}. */
export function normalizeImageName(text: string): string {
  return formatImageName(parseImageName(text))
}

/** The name without tag and digest. */
export function imageRepository(image: ImageName): string {
  return `${image.domain}/${image.path}`
}

/**
 * The tag as pull policies see it: `latest` when there is neither tag nor digest, "" with only a digest. Undefined of what
 * is no image name: it costs no error with its stack, of which a list of thousands would make thousands.
 */
export function imageTag(text: string): string | undefined {
  const read = readImageName(text)
  if (typeof read === "string") return undefined
  const { tag, digest } = read
  return tag ?? (digest === undefined ? "latest" : "")
}
