/**
 * The images that upstream's tests ask for, made of what this machine has: busybox, Debian's programs and what
 * tools/reference/build.sh built. No registry is asked.
 */
import { execFileSync } from "node:child_process"
import { existsSync, globSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { buildImageArchive, type ImageFile, type ImageSpec } from "@knarr/image-registry"

/** Debian packages whose programs go into the images. */
export const imagePackages = [
  "nginx-light",
  "curl",
  "bind9-dnsutils",
  "netcat-openbsd",
  "iperf",
  "socat",
  "conntrack",
  "iptables",
  "gcc",
  "libc6-dev",
  "stress",
]

const e2e = "registry.k8s.io/e2e-test-images/"
const passwd =
  "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\nuser-defined-in-image:x:1000:1000::/:/bin/sh\n"
const group =
  "root:x:0:\nnobody:x:65534:\nuser-defined-in-image:x:1000:\ngroup-defined-in-image:x:50000:user-defined-in-image\n"

/** busybox's shell drops variables whose names are no identifiers; upstream's hands them on, and a test looks. */
const shellSource = `
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv) {
  char *env[] = {"env", 0};
  if (argc == 3 && !strcmp(argv[1], "-c") && !strcmp(argv[2], "env")) return execv("/bin/busybox", env);
  return execv("/bin/busybox", argv);
}`
const uidSource = `
#include <stdio.h>
#include <unistd.h>
int main() { printf("Effective uid: %d\\n", geteuid()); return 0; }`
const nginxConfig = `daemon off; user nobody; pid /tmp/nginx.pid; error_log /dev/stderr; events {}
http { include /etc/nginx/mime.types; access_log /dev/stdout; server { listen 80; root /usr/share/nginx/html; }
client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s; }
`

/** Writes one archive per image into `dir` and returns their paths. `bin` holds the built programs. */
export async function writeConformanceImages(dir: string, bin: string): Promise<string[]> {
  mkdirSync(dir, { recursive: true })
  const written: string[] = []
  const applets = execFileSync("/bin/busybox", ["--list"], { encoding: "utf8" }).trim().split("\n")
  const shell: ImageFile = { path: "bin/sh", content: compile(dir, "sh", shellSource), mode: 0o755 }
  const base: ImageFile[] = [
    ...["bin/", "etc/", "root/", "usr/", "usr/bin/", "var/", "var/log/"].map((path) => ({ path })),
    { path: "tmp/", mode: 0o1777 },
    { path: "etc/passwd", content: passwd },
    { path: "etc/group", content: group },
    { path: "bin/busybox", content: readFileSync("/bin/busybox"), mode: 0o755 },
  ]
  const links = (without: readonly string[] = []): ImageFile[] => [
    ...applets
      .filter((name) => !["busybox", "sh", ...without].includes(name))
      .map((name) => ({ path: `bin/${name}`, link: "/bin/busybox" })),
    ...(without.includes("sh") ? [] : [shell]),
  ]
  const program = (path: string, name: string): ImageFile => ({
    path,
    content: readFileSync(join(bin, name)),
    mode: 0o755,
  })
  const write = async (
    name: string,
    tags: readonly string[],
    files: readonly ImageFile[],
    config: Partial<ImageSpec> = {},
  ): Promise<void> => {
    for (const [i, tag] of tags.entries()) {
      const file = join(dir, `${name}-${i}.tar`)
      writeFileSync(file, await buildImageArchive({ name: tag, files: unique(files), ...config }))
      written.push(file)
    }
  }
  const standard = [...base, ...links()]

  await write("pause", ["registry.k8s.io/pause:3.10.2"], standard, {
    entrypoint: ["/bin/sleep", "2147483647"],
  })
  await write("busybox", [`${e2e}busybox:1.37.0-2`, `${e2e}busybox:1.36.1-1`], standard, { cmd: ["sh"] })
  await write("nonroot", [`${e2e}nonroot:1.5`], standard, { entrypoint: ["/bin/id"], user: "1234" })
  await write(
    "nonewprivs",
    [`${e2e}nonewprivs:1.4`],
    [...standard, { path: "nnp", content: compile(dir, "nnp", uidSource), mode: 0o4755 }],
    { entrypoint: ["/nnp"] },
  )
  await write(
    "nginx",
    [`${e2e}nginx:1.27.0-2`, `${e2e}nginx:1.28.0-2`],
    [
      ...standard,
      ...programs(["nginx"]),
      { path: "etc/nginx/nginx.conf", content: nginxConfig },
      { path: "etc/nginx/mime.types", content: readFileSync("/etc/nginx/mime.types") },
      { path: "usr/share/nginx/html/index.html", content: "<h1>Welcome to nginx!</h1>\n" },
      { path: "var/log/nginx/", mode: 0o777 },
      { path: "var/lib/nginx/", mode: 0o777 },
    ],
    { entrypoint: ["/usr/sbin/nginx"], ports: ["80/tcp"] },
  )
  const tools = ["curl", "dig", "nc", "iperf", "ip", "ss", "iptables", "conntrack", "getent", "socat", "bash"]
  const certificates = globSync(
    join(goModules(), "k8s.io/kubernetes@v1.37.*/test/images/agnhost/porter/localhost.*"),
  )
  await write(
    "agnhost",
    [`${e2e}agnhost:2.66.1`, `${e2e}agnhost:2.55`, `${e2e}glibc-dns-testing:2.1.1`],
    [
      ...base,
      ...programs(tools),
      // busybox's shell would run its own applets in place of these programs.
      ...links([...tools, "sh"]),
      { path: "bin/sh", link: "/usr/bin/bash" },
      program("agnhost", "agnhost"),
      { path: "agnhost-2", link: "/agnhost" },
      { path: "uploads/", mode: 0o777 },
      { path: "etc/services", content: readFileSync("/etc/services") },
      { path: "etc/nsswitch.conf", content: "hosts: files dns\n" },
      ...certificates
        .filter((path) => !path.endsWith(".go"))
        .map((path) => ({ path: basename(path), content: readFileSync(path) })),
    ],
    { entrypoint: ["/agnhost"], cmd: ["pause"] },
  )
  // It runs both by these paths; the load of [sig-autoscaling].
  const consumer = [
    program("consumer", "resource-consumer"),
    program("consume-cpu/consume-cpu", "consume-cpu"),
  ]
  await write(
    "resource-consumer",
    [`${e2e}resource-consumer:1.14`],
    [...standard, ...programs(["stress"]), ...consumer],
    {
      entrypoint: ["/consumer"],
      ports: ["8080/tcp"],
    },
  )
  for (const name of ["nautilus", "kitten"]) {
    const pages = [
      { path: "data.json", content: `{"image": "${name}.jpg"}\n` },
      { path: `${name}.jpg`, content: "x" },
      // What the published image is made of: a spec mounts it and reads this.
      { path: "etc/os-release", content: 'NAME="Alpine Linux"\nID=alpine\n' },
    ]
    await write(name, [`${e2e}${name}:1.8`], [...standard, ...pages], {
      cmd: ["/bin/httpd", "-f", "-h", "/"],
      ports: ["80/tcp"],
    })
  }
  if (existsSync(join(bin, "sample-apiserver"))) {
    await write(
      "sample-apiserver",
      [`${e2e}sample-apiserver:1.29.2`],
      [...standard, program("sample-apiserver", "sample-apiserver")],
      { entrypoint: ["/sample-apiserver"] },
    )
  }
  if (existsSync(join(bin, "etcd"))) {
    const files = [
      ...standard,
      program("usr/local/bin/etcd", "etcd"),
      program("usr/local/bin/etcdctl", "etcdctl"),
    ]
    await write("etcd", ["registry.k8s.io/etcd:3.7.0-0"], files, { entrypoint: ["/usr/local/bin/etcd"] })
  }
  return written
}

/** Programs of this machine with the libraries that they load, at the same paths. */
function programs(names: readonly string[]): ImageFile[] {
  const paths = new Map<string, string>()
  for (const name of names) {
    const path = execFileSync("sh", ["-c", `command -v ${name}`], {
      encoding: "utf8",
      env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
    }).trim()
    paths.set(path, realpathSync(path))
    const loaded = execFileSync("sh", ["-c", `ldd ${path} || true`], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    })
    for (const [library] of loaded.matchAll(/\/\S+/g))
      if (existsSync(library)) paths.set(library, realpathSync(library))
  }
  return [...paths].map(([path, source]) => ({
    path: path.slice(1),
    content: readFileSync(source),
    mode: 0o755,
  }))
}

function unique(files: readonly ImageFile[]): ImageFile[] {
  return [...new Map([...files].reverse().map((file) => [file.path, file])).values()].reverse()
}

function compile(dir: string, name: string, source: string): Buffer {
  const out = join(dir, name)
  execFileSync("gcc", ["-static", "-O1", "-x", "c", "-o", out, "-"], { input: source })
  return readFileSync(out)
}

function goModules(): string {
  return execFileSync("go", ["env", "GOMODCACHE"], { encoding: "utf8" }).trim()
}
