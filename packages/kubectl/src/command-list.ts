/** Every command, in the order of the help text. A command's file is only loaded when it runs. */
import type { KubectlCommand } from "./command.ts"

export interface CommandEntry {
  readonly name: string
  readonly aliases?: readonly string[]
  readonly group: CommandGroup
  readonly summary: string
  load(): Promise<KubectlCommand>
}

export type CommandGroup =
  | "Basic Commands (Beginner)"
  | "Basic Commands (Intermediate)"
  | "Deploy Commands"
  | "Cluster Management Commands"
  | "Troubleshooting and Debugging Commands"
  | "Advanced Commands"
  | "Settings Commands"
  | "Other Commands"

function entry(
  group: CommandGroup,
  name: string,
  summary: string,
  load: () => Promise<KubectlCommand>,
  aliases?: readonly string[],
): CommandEntry {
  return { name, group, summary, load, ...(aliases ? { aliases } : {}) }
}

const beginner = "Basic Commands (Beginner)"
const intermediate = "Basic Commands (Intermediate)"
const deploy = "Deploy Commands"
const cluster = "Cluster Management Commands"
const trouble = "Troubleshooting and Debugging Commands"
const advanced = "Advanced Commands"
const settings = "Settings Commands"
const other = "Other Commands"

// oxfmt-ignore
export const commandList: readonly CommandEntry[] = [
  entry(beginner, "create", "Create a resource from a file or from stdin", async () => (await import("./commands/create.command.ts")).create),
  entry(beginner, "expose", "Take a replication controller, service, deployment or pod and expose it as a new Kubernetes service", async () => (await import("./commands/expose.command.ts")).expose),
  entry(beginner, "run", "Run a particular image on the cluster", async () => (await import("./commands/run.command.ts")).run),
  entry(beginner, "set", "Set specific features on objects", async () => (await import("./commands/set.command.ts")).set),
  entry(intermediate, "explain", "Get documentation for a resource", async () => (await import("./commands/explain.command.ts")).explain),
  entry(intermediate, "get", "Display one or many resources", async () => (await import("./commands/get.command.ts")).get),
  entry(intermediate, "edit", "Edit a resource on the server", async () => (await import("./commands/edit.command.ts")).edit),
  entry(intermediate, "delete", "Delete resources by file names, stdin, resources and names, or by resources and label selector", async () => (await import("./commands/delete.command.ts")).deleteCommand),
  entry(deploy, "rollout", "Manage the rollout of a resource", async () => (await import("./commands/rollout.command.ts")).rollout),
  entry(deploy, "scale", "Set a new size for a deployment, replica set, or replication controller", async () => (await import("./commands/scale.command.ts")).scale),
  entry(deploy, "autoscale", "Auto-scale a deployment, replica set, stateful set, or replication controller", async () => (await import("./commands/autoscale.command.ts")).autoscale),
  entry(cluster, "certificate", "Modify certificate resources", async () => (await import("./commands/certificate.command.ts")).certificate),
  entry(cluster, "cluster-info", "Display cluster information", async () => (await import("./commands/cluster-info.command.ts")).clusterInfo),
  entry(cluster, "top", "Display resource (CPU/memory) usage", async () => (await import("./commands/top.command.ts")).top),
  entry(cluster, "cordon", "Mark node as unschedulable", async () => (await import("./commands/cordon.command.ts")).cordon),
  entry(cluster, "uncordon", "Mark node as schedulable", async () => (await import("./commands/cordon.command.ts")).uncordon),
  entry(cluster, "drain", "Drain node in preparation for maintenance", async () => (await import("./commands/drain.command.ts")).drain),
  entry(cluster, "taint", "Update the taints on one or more nodes", async () => (await import("./commands/taint.command.ts")).taint),
  entry(trouble, "describe", "Show details of a specific resource or group of resources", async () => (await import("./commands/describe.command.ts")).describe),
  entry(trouble, "logs", "Print the logs for a container in a pod", async () => (await import("./commands/logs.command.ts")).logs, ["log"]),
  entry(trouble, "attach", "Attach to a running container", async () => (await import("./commands/attach.command.ts")).attach),
  entry(trouble, "exec", "Execute a command in a container", async () => (await import("./commands/exec.command.ts")).exec),
  entry(trouble, "port-forward", "Forward one or more local ports to a pod", async () => (await import("./commands/port-forward.command.ts")).portForward),
  entry(trouble, "proxy", "Run a proxy to the Kubernetes API server", async () => (await import("./commands/proxy.command.ts")).proxy),
  entry(trouble, "cp", "Copy files and directories to and from containers", async () => (await import("./commands/cp.command.ts")).cp),
  entry(trouble, "auth", "Inspect authorization", async () => (await import("./commands/auth.command.ts")).auth),
  entry(trouble, "events", "List events", async () => (await import("./commands/events.command.ts")).events),
  entry(advanced, "diff", "Diff the live version against a would-be applied version", async () => (await import("./commands/diff.command.ts")).diff),
  entry(advanced, "apply", "Apply a configuration to a resource by file name or stdin", async () => (await import("./commands/apply.command.ts")).apply),
  entry(advanced, "patch", "Update fields of a resource", async () => (await import("./commands/patch.command.ts")).patch),
  entry(advanced, "replace", "Replace a resource by file name or stdin", async () => (await import("./commands/replace.command.ts")).replace),
  entry(advanced, "wait", "Wait for a specific condition on one or many resources", async () => (await import("./commands/wait.command.ts")).wait),
  entry(settings, "label", "Update the labels on a resource", async () => (await import("./commands/label.command.ts")).label),
  entry(settings, "annotate", "Update the annotations on a resource", async () => (await import("./commands/annotate.command.ts")).annotate),
  entry(other, "api-resources", "Print the supported API resources on the server", async () => (await import("./commands/api-resources.command.ts")).apiResources),
  entry(other, "api-versions", "Print the supported API versions on the server, in the form of \"group/version\"", async () => (await import("./commands/api-versions.command.ts")).apiVersions),
  entry(other, "config", "Modify kubeconfig files", async () => (await import("./commands/config.command.ts")).config),
  entry(other, "version", "Print the client and server version information", async () => (await import("./commands/version.command.ts")).version),
]
