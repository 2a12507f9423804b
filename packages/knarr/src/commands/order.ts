/** Every command, in the order of the help text. Loaded on use: most runs need one. */
import type { CommandContext, KnarrCommand } from "./command.ts"

export interface CommandEntry {
  readonly name: string
  readonly summary: string
  load(): Promise<KnarrCommand>
}

export const commandLoaders: readonly CommandEntry[] = [
  {
    name: "up",
    summary: "Start a cluster on this machine",
    load: async () => (await import("./up.command.ts")).up,
  },
  {
    name: "down",
    summary: "Stop a cluster; its state stays",
    load: async () => (await import("./down.command.ts")).down,
  },
  {
    name: "delete",
    summary: "Remove a cluster with everything that it left",
    load: async () => (await import("./delete.command.ts")).deleteCluster,
  },
  {
    name: "status",
    summary: "Show which clusters there are and how they are",
    load: async () => (await import("./status.command.ts")).status,
  },
  {
    name: "kubeconfig",
    summary: "Print the path of a cluster's kubeconfig",
    load: async () => (await import("./kubeconfig.command.ts")).kubeconfig,
  },
  {
    name: "image load",
    summary: "Load an image archive into the cluster's registry",
    load: async () => (await import("./image-load.command.ts")).imageLoad,
  },
  {
    name: "snapshot save",
    summary: "Write a cluster's state to a file",
    load: async () => (await import("./snapshot.command.ts")).snapshotSave,
  },
  {
    name: "snapshot restore",
    summary: "Give a cluster the state of a snapshot",
    load: async () => (await import("./snapshot.command.ts")).snapshotRestore,
  },
  {
    name: "store migrate",
    summary: "Move a cluster's state into an etcd, or out of it",
    load: async () => (await import("./store-migrate.command.ts")).storeMigrate,
  },
  {
    name: "version",
    summary: "Print the version of this command and of a cluster's server",
    load: async () => (await import("./version.command.ts")).version,
  },
  {
    name: "simulate",
    summary: "Run a scenario on virtual time",
    load: async () => (await import("./simulate.command.ts")).simulate,
  },
  {
    name: "envtest-assets",
    summary: "Print the folder of stand-ins that Go's envtest starts",
    load: async () => (await import("./envtest-assets.command.ts")).envtestAssets,
  },
  {
    name: "server",
    summary: "Run a server in the foreground",
    load: async () => (await import("./server.command.ts")).server,
  },
  {
    name: "agent",
    summary: "Run a node's agent in the foreground",
    load: async () => (await import("./agent.command.ts")).agent,
  },
  {
    name: "simulated-nodes",
    summary: "Run a cluster's simulated nodes in the foreground",
    load: async () => (await import("./simulated-nodes.command.ts")).simulatedNodes,
  },
]

/** Programs that read their arguments themselves, as the ones they are the same as do; resolve with the exit code. */
export const programs: readonly {
  readonly name: string
  load(): Promise<(argv: readonly string[], ctx: CommandContext) => Promise<number>>
}[] = [
  { name: "kubectl", load: async () => (await import("./kubectl.ts")).runKubectl },
  { name: "envtest", load: async () => (await import("../envtest/programs.ts")).runEnvtest },
]
