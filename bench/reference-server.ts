/** The reference: etcd and kube-apiserver, built by tools/reference/build.sh, on loopback with TLS. */
import { execFileSync } from "node:child_process"
import { createPublicKey } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { writeCredentials } from "./credentials.ts"
import { describeServer, waitUntilReady, type Server } from "./server.ts"
import { freePorts, root, type Workspace } from "./workspace.ts"

let built: string | undefined

/** The folder of the reference's programs; builds what is missing, which takes minutes once per machine. */
function referencePrograms(): string {
  built ??= execFileSync("bash", [join(root, "tools/reference/build.sh"), "control-plane"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  }).trim()
  return built
}

/** `bin` holds etcd and kube-apiserver; default: {@link referencePrograms}. */
export async function startReference(
  workspace: Workspace,
  name: string,
  bin: string = referencePrograms(),
): Promise<Server> {
  const dir = workspace.folder(name)
  const credentials = writeCredentials(dir)
  const publicKey = join(dir, "sa.pub")
  writeFileSync(
    publicKey,
    createPublicKey(readFileSync(credentials.serviceAccountKey)).export({ type: "spki", format: "pem" }),
  )
  const [port, clientPort, peerPort] = await freePorts(3)
  const etcdURL = `http://127.0.0.1:${clientPort}`
  const startedMs = performance.now()
  const etcd = workspace.spawn(`${name}-etcd`, [
    join(bin, "etcd"),
    ...["--data-dir", join(dir, "etcd")],
    ...["--listen-client-urls", etcdURL, "--advertise-client-urls", etcdURL],
    ...["--listen-peer-urls", `http://127.0.0.1:${peerPort}`],
  ])
  const apiServer = workspace.spawn(`${name}-kube-apiserver`, [
    join(bin, "kube-apiserver"),
    ...["--etcd-servers", etcdURL, "--secure-port", `${port}`, "--bind-address", "127.0.0.1"],
    ...["--endpoint-reconciler-type", "none", "--advertise-address", "192.0.2.1"],
    ...["--tls-cert-file", credentials.serverCert, "--tls-private-key-file", credentials.serverKey],
    ...["--client-ca-file", credentials.ca, "--cert-dir", join(dir, "certs")],
    ...["--service-account-key-file", publicKey],
    ...["--service-account-signing-key-file", credentials.serviceAccountKey],
    ...["--service-account-issuer", "https://kubernetes.default.svc"],
    ...["--authorization-mode", "Node,RBAC", "--service-cluster-ip-range", "10.96.0.0/16"],
    ...["--allow-privileged", "--enable-admission-plugins", "NodeRestriction"],
  ])
  const running = [etcd, apiServer]
  return describeServer(
    "reference",
    port!,
    credentials,
    running,
    await waitUntilReady(port!, credentials, running, startedMs),
  )
}
