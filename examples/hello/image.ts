/** The image of the hello example: busybox and a page, built without a registry. */
import { readFileSync } from "node:fs"
import { buildImageArchive } from "@knarr/image-registry"

const applets = [
  "sh",
  "httpd",
  "wget",
  "cat",
  "echo",
  "hostname",
  "sleep",
  "ls",
  "ps",
  "kill",
  "nslookup",
  "env",
  "id",
  "tar",
  "nc",
  "true",
  "false",
  "date",
  "mkdir",
  "rm",
  "touch",
  "tail",
  "head",
  "grep",
  "sed",
  "test",
]

const page = `#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
echo "$(cat /config/greeting) from $(hostname), version $VERSION"
`

/** A docker archive named `hello:<version>`. Throws when busybox-static is not installed. */
export async function buildHelloImage(version: string): Promise<Buffer> {
  return buildImageArchive({
    name: `hello:${version}`,
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    env: ["PATH=/bin", `VERSION=${version}`],
    entrypoint: ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/www"],
    ports: ["8080/tcp"],
    files: [
      { path: "bin/" },
      { path: "bin/busybox", content: readFileSync("/bin/busybox"), mode: 0o755 },
      ...applets.map((applet) => ({ path: `bin/${applet}`, link: "busybox" })),
      { path: "etc/" },
      {
        path: "etc/passwd",
        content: "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
      },
      { path: "etc/group", content: "root:x:0:\nnogroup:x:65534:\n" },
      { path: "tmp/", mode: 0o1777 },
      { path: "www/" },
      { path: "www/index.html", content: "ok\n" },
      { path: "www/cgi-bin/" },
      { path: "www/cgi-bin/hello", content: page, mode: 0o755 },
    ],
  })
}
