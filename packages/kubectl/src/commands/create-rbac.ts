/** `kubectl create role|clusterrole|rolebinding|clusterrolebinding`. Mirrors: kubectl pkg/cmd/create/create_role.go */
import { goQuote, parseToLabelSelector } from "@knarr/apimachinery"
import type { CommandContext, KubectlCommand } from "../command.ts"
import { flag, type FlagSpec } from "../flags.ts"
import type { Obj } from "../object.ts"
import { generator } from "./create-object.ts"

const ruleFlags: readonly FlagSpec[] = [
  flag.csv("verb", "Verb that applies to the resources contained in the rule"),
  flag.csv("resource", "Resource that the rule applies to"),
  flag.array(
    "resource-name",
    "Resource in the white list that the rule applies to, repeat this flag for multiple items",
  ),
]

const subjectFlags: readonly FlagSpec[] = [
  flag.array("user", "Usernames to bind to the role. The flag can be repeated to add multiple users."),
  flag.array("group", "Groups to bind to the role. The flag can be repeated to add multiple groups."),
  flag.array(
    "serviceaccount",
    "Service accounts to bind to the role, in the format <namespace>:<name>. The flag can be repeated to add multiple service accounts.",
  ),
]

function unique<T>(items: readonly T[]): T[] {
  return [...new Set(items)]
}

/** The rules of `--verb --resource --resource-name`, one for each API group. */
async function rulesOf(ctx: CommandContext): Promise<Obj[]> {
  const { flags } = ctx
  const verbs = flags.list("verb").includes("*") ? ["*"] : unique(flags.list("verb"))
  if (verbs.length === 0) throw new Error("at least one verb must be specified")
  const wanted = flags.list("resource").map((text) => text.trim())
  if (wanted.length === 0) throw new Error("at least one resource must be specified")
  const names = unique(flags.list("resource-name"))
  const mapper = await ctx.factory.mapper()
  const byGroup = new Map<string, string[]>()
  for (const text of unique(wanted)) {
    const [type, ...sub] = text.split("/")
    if (text === "*" || type === "*") {
      byGroup.set("*", ["*"])
      continue
    }
    if (type === "") throw new Error("resource must be specified if apiGroup/subresource specified")
    const found = await mapper.find(type!)
    if (!found) throw new Error(`the server doesn't have a resource type ${goQuote(type!.split(".")[0]!)}`)
    const resource = sub.length > 0 ? `${found.plural}/${sub.join("/")}` : found.plural
    byGroup.set(found.group, [...(byGroup.get(found.group) ?? []), resource])
  }
  return [...byGroup]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([group, resources]) => ({
      verbs,
      apiGroups: [group],
      resources,
      ...(names.length > 0 ? { resourceNames: names } : {}),
    }))
}

export const createRole: KubectlCommand = generator({
  name: "role",
  summary: "Create a role with single rule",
  usage:
    "NAME --verb=verb --resource=resource.group/subresource [--resource-name=resourcename] [--dry-run=server|client|none]",
  flags: ruleFlags,
  make: async (ctx, name) => ({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "Role",
    metadata: { name },
    rules: await rulesOf(ctx),
  }),
})

export const createClusterRole: KubectlCommand = generator({
  name: "clusterrole",
  summary: "Create a cluster role",
  usage:
    "NAME --verb=verb --resource=resource.group [--resource-name=resourcename] [--dry-run=server|client|none]",
  flags: [
    ...ruleFlags,
    flag.csv("non-resource-url", "A partial url that user should have access to."),
    flag.text("aggregation-rule", "An aggregation label selector for combining ClusterRoles."),
  ],
  make: async (ctx, name) => {
    const { flags } = ctx
    const role: Obj = { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata: { name } }
    if (flags.changed("aggregation-rule")) {
      const selector = parseToLabelSelector(flags.text("aggregation-rule"))
      return { ...role, rules: null, aggregationRule: { clusterRoleSelectors: [selector] } }
    }
    const urls = flags.list("non-resource-url")
    if (urls.length > 0 && flags.list("resource").length === 0) {
      return { ...role, rules: [{ verbs: unique(flags.list("verb")), nonResourceURLs: unique(urls) }] }
    }
    const rules = await rulesOf(ctx)
    if (urls.length > 0) rules.push({ verbs: unique(flags.list("verb")), nonResourceURLs: unique(urls) })
    return { ...role, rules }
  },
})

function subjectsOf(ctx: CommandContext): Obj[] {
  const { flags } = ctx
  const apiGroup = "rbac.authorization.k8s.io"
  const accounts = flags.list("serviceaccount").map((text) => {
    const [namespace, name, ...more] = text.split(":")
    if (!namespace || !name || more.length > 0) {
      throw new Error("serviceaccount must be <namespace>:<name>")
    }
    return { kind: "ServiceAccount", name, namespace }
  })
  return [
    ...flags.list("user").map((name) => ({ kind: "User", apiGroup, name })),
    ...flags.list("group").map((name) => ({ kind: "Group", apiGroup, name })),
    ...accounts,
  ]
}

function binding(kind: string, metadata: Obj, roleKind: string, roleName: string, subjects: Obj[]): Obj {
  return {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind,
    metadata,
    ...(subjects.length > 0 ? { subjects } : {}),
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: roleKind, name: roleName },
  }
}

export const createRoleBinding: KubectlCommand = generator({
  name: "rolebinding",
  failure: "failed to create rolebinding: ",
  summary: "Create a role binding for a particular role or cluster role",
  usage:
    "NAME --clusterrole=NAME|--role=NAME [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]",
  flags: [
    ...subjectFlags,
    flag.text("clusterrole", "ClusterRole this RoleBinding should reference"),
    flag.text("role", "Role this RoleBinding should reference"),
  ],
  make: (ctx, name) => {
    const clusterRole = ctx.flags.text("clusterrole")
    const role = ctx.flags.text("role")
    if ((clusterRole === "") === (role === "")) {
      throw new Error("exactly one of clusterrole or role must be specified")
    }
    const kind = role ? "Role" : "ClusterRole"
    return binding("RoleBinding", { name }, kind, role || clusterRole, subjectsOf(ctx))
  },
})

export const createClusterRoleBinding: KubectlCommand = generator({
  name: "clusterrolebinding",
  failure: "failed to create clusterrolebinding: ",
  summary: "Create a cluster role binding for a particular cluster role",
  usage:
    "NAME --clusterrole=NAME [--user=username] [--group=groupname] [--serviceaccount=namespace:serviceaccountname] [--dry-run=server|client|none]",
  flags: [...subjectFlags, flag.text("clusterrole", "ClusterRole this ClusterRoleBinding should reference")],
  make: (ctx, name) => {
    const clusterRole = ctx.flags.text("clusterrole")
    if (clusterRole === "") throw new Error(`required flag(s) "clusterrole" not set`)
    return binding("ClusterRoleBinding", { name }, "ClusterRole", clusterRole, subjectsOf(ctx))
  },
})
