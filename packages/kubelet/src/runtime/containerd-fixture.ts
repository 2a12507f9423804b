/** A real containerd for tests: its own daemon, images and network in a temporary folder. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { systemClock } from "@knarr/base"
import { systemEnv } from "@knarr/testkit"
import { ensureContainerd, importImage, type Containerd, type ContainerdOptions } from "./containerd.ts"
import { findBinary } from "./containerd-host.ts"
import { stopContainerd } from "./containerd-stop.ts"
import { createImageTar, hostArchitecture } from "./oci-image.ts"

/** The real world, silent. */
export const env = systemEnv()

function has(program: string): boolean {
  try {
    findBinary(program)
    return true
  } catch {
    return false
  }
}

const missing = ["containerd", "ctr", "runc", "busybox"].filter((program) => !has(program))
/** Why tests with real containers cannot run here; false when they can. */
export const skip: string | false =
  process.getuid?.() !== 0
    ? "containers need root"
    : missing.length > 0
      ? `not installed: ${missing.join(", ")}`
      : false

export const shellImage = "test.invalid/shell:1"
export const spareImage = "test.invalid/spare:1"

export interface ContainerdFixture {
  readonly containerd: Containerd
  readonly options: ContainerdOptions
  readonly signal: AbortSignal
  /** Ends the daemon and everything it ran, and removes every trace. */
  dispose(): Promise<void>
}

/** A containerd of the test's own, with a network that needs no bridge. */
export async function startContainerd(extra: Partial<ContainerdOptions> = {}): Promise<ContainerdFixture> {
  const dir = mkdtempSync("/tmp/knarr-cri-")
  const cniConfDir = join(dir, "cni")
  mkdirSync(cniConfDir)
  const network = {
    cniVersion: "0.4.0",
    name: "test",
    plugins: [
      {
        type: "ptp",
        ipam: { type: "host-local", dataDir: join(dir, "ipam"), ranges: [[{ subnet: "10.253.77.0/24" }]] },
      },
    ],
  }
  writeFileSync(join(cniConfDir, "10-test.conflist"), JSON.stringify(network))
  const signal = AbortSignal.timeout(120_000)
  const options = { dir, env, cniBinDir: "/usr/lib/cni", cniConfDir, ...extra }
  const containerd = await ensureContainerd(options, signal)
  const busybox = { path: "bin/busybox", mode: 0o755, data: readFileSync(findBinary("busybox")) }
  const links = ["sh", "sleep", "echo", "grep", "cat", "httpd"].map((name) => ({
    path: `bin/${name}`,
    mode: 0o777,
    link: "busybox",
  }))
  for (const name of [shellImage, spareImage]) {
    const files = name === spareImage ? [busybox] : [busybox, ...links]
    const tar = createImageTar({
      name,
      architecture: hostArchitecture(),
      files,
      config: { Env: ["PATH=/bin"] },
    })
    await importImage(containerd.socket, tar, { signal })
    await pollUntil(
      () => containerd.runtime.imageStatus({ image: { image: name } }, { signal }),
      (answer) => answer.image !== undefined,
    )
  }
  return {
    containerd,
    options,
    signal,
    async dispose() {
      await containerd.close()
      await stopContainerd({ dir, env }, AbortSignal.timeout(60_000))
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Asks until the answer will do. */
export async function pollUntil<T>(ask: () => Promise<T>, done: (value: T) => boolean): Promise<T> {
  const signal = AbortSignal.timeout(20_000)
  for (;;) {
    const value = await ask()
    if (done(value)) return value
    await systemClock.sleep(10, signal)
  }
}
