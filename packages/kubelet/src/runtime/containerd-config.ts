/** The text of containerd's configuration: version 2 for containerd 1.x, version 3 for containerd 2. */

export interface ContainerdConfig {
  /** The daemon's major version. */
  readonly major: number
  readonly root: string
  readonly state: string
  readonly socket: string
  readonly runcRoot: string
  /** A cgroup of the daemon's own; empty leaves it where it was started. */
  readonly cgroup: string
  readonly cniBinDir: string
  readonly cniConfDir: string
  readonly certsDir: string
  readonly sandboxImage: string
  readonly snapshotter: string
  /** Whether AppArmor is enabled in the kernel. */
  readonly apparmor: boolean
  /** Whether CAP_SYS_RESOURCE is missing, so that a process's OOM score can only be raised. */
  readonly restrictOomScoreAdj: boolean
}

/** Plugins that a Kubernetes node does not use; without them the daemon starts faster. Unknown ones are ignored. */
const disabledPlugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.erofs",
  "io.containerd.differ.v1.erofs",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing",
  "io.containerd.internal.v1.restart",
  "io.containerd.monitor.task.v1.cgroups",
  "io.containerd.monitor.v1.cgroups",
]

/** The file's text. */
export function containerdToml(config: ContainerdConfig): string {
  const head = {
    version: config.major >= 2 ? 3 : 2,
    root: config.root,
    state: config.state,
    oom_score: config.restrictOomScoreAdj ? 0 : -999,
    disabled_plugins: disabledPlugins,
  }
  const runc = {
    runtime_type: "io.containerd.runc.v2",
    options: { Root: config.runcRoot, SystemdCgroup: false },
  }
  const runtime = {
    disable_apparmor: !config.apparmor,
    restrict_oom_score_adj: config.restrictOomScoreAdj,
    enable_unprivileged_ports: true,
    enable_unprivileged_icmp: true,
    netns_mounts_under_state_dir: true,
    tolerate_missing_hugetlb_controller: true,
    max_container_log_line_size: 16384,
  }
  const streaming = {
    stream_server_address: "127.0.0.1",
    stream_server_port: "0",
    stream_idle_timeout: "4h0m0s",
    disable_tcp_service: true,
  }
  const cni = { bin_dir: config.cniBinDir, conf_dir: config.cniConfDir, max_conf_num: 1 }
  const grpc = {
    address: config.socket,
    max_recv_message_size: 64 * 1024 * 1024,
    max_send_message_size: 64 * 1024 * 1024,
  }
  const plugins =
    config.major >= 2
      ? {
          "io.containerd.cri.v1.runtime": {
            ...runtime,
            cni,
            containerd: { default_runtime_name: "runc", runtimes: { runc } },
          },
          "io.containerd.cri.v1.images": {
            snapshotter: config.snapshotter,
            max_concurrent_downloads: 8,
            pinned_images: { sandbox: config.sandboxImage },
            registry: { config_path: config.certsDir },
          },
          "io.containerd.grpc.v1.cri": streaming,
          "io.containerd.nri.v1.nri": { disable: true },
        }
      : {
          "io.containerd.grpc.v1.cri": {
            ...runtime,
            ...streaming,
            sandbox_image: config.sandboxImage,
            max_concurrent_downloads: 8,
            cni,
            containerd: {
              snapshotter: config.snapshotter,
              default_runtime_name: "runc",
              runtimes: { runc },
            },
            registry: { config_path: config.certsDir },
          },
        }
  return toml({
    ...head,
    grpc,
    debug: { level: "warn" },
    ...(config.cgroup ? { cgroup: { path: config.cgroup } } : {}),
    plugins,
  })
}

/** `certs.d/_default/hosts.toml`: every registry is asked through `mirror` first. */
export function mirrorToml(mirror: string): string {
  return toml({ host: { [mirror]: { capabilities: ["pull", "resolve"], skip_verify: true } } })
}

type Value = string | number | boolean | readonly string[] | Table
interface Table {
  readonly [key: string]: Value
}

function toml(table: Table, path: readonly string[] = []): string {
  let own = ""
  let inner = ""
  for (const [key, value] of Object.entries(table)) {
    if (typeof value === "object" && !Array.isArray(value)) inner += toml(value as Table, [...path, key])
    else own += `${keyOf(key)} = ${JSON.stringify(value)}\n`
  }
  const header = path.length > 0 && own !== "" ? `\n[${path.map(keyOf).join(".")}]\n` : ""
  return header + own + inner
}

function keyOf(key: string): string {
  return /^[\w-]+$/.test(key) ? key : JSON.stringify(key)
}
