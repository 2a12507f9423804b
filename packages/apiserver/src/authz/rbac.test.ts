import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { clusterRole, clusterRoleBinding, role, roleBinding, comparedParts, uncoveredRules } from "@knarr/api"
import type { PolicyRule } from "@knarr/api"
import type { Kind, KubeObject } from "@knarr/apimachinery"
import type { ObjectReader } from "../authn/service-account-tokens.ts"
import type { AuthorizationAttributes, UserInfo } from "../contract.ts"
import { createAdmissionRequest } from "../admission/attributes.ts"
import { resourceAttributes } from "./attributes.ts"
import { createEscalationCheck } from "./escalation.ts"
import { Rbac } from "./rbac.ts"
import { compactRules, ruleAllows, ruleText } from "./rules.ts"

function readerOf(objects: readonly [Kind, object][]): ObjectReader {
  const typed = objects as readonly [Kind, KubeObject][]
  return {
    get: (kind, ref) =>
      typed.find(
        ([k, o]) =>
          k === kind &&
          o.metadata.name === ref.name &&
          (o.metadata.namespace ?? "") === (ref.namespace ?? ""),
      )?.[1] as never,
    list: (kind, namespace) =>
      typed
        .filter(([k, o]) => k === kind && (!namespace || o.metadata.namespace === namespace))
        .map(([, o]) => o) as never,
  }
}

const ask = (
  verb: string,
  resource: string,
  namespace = "",
  name = "",
  apiGroup = "",
): AuthorizationAttributes => {
  const [main, subresource = ""] = resource.split("/")
  return resourceAttributes({ verb, apiGroup, resource: main!, subresource, namespace, name })
}
const askPath = (verb: string, path: string): AuthorizationAttributes => ({
  ...ask(verb, ""),
  path,
  isResourceRequest: false,
})

const eve: UserInfo = { name: "eve", groups: ["devs", "system:authenticated"] }
const robot: UserInfo = { name: "system:serviceaccount:ci:robot", groups: ["system:serviceaccounts"] }
const roleRef = (kind: string, name: string): object => ({
  apiGroup: "rbac.authorization.k8s.io",
  kind,
  name,
})

describe("rules", () => {
  const rule = (over: Partial<PolicyRule>): PolicyRule => ({
    verbs: ["get"],
    apiGroups: [""],
    resources: ["pods"],
    ...over,
  })
  const rows: [PolicyRule, AuthorizationAttributes, boolean][] = [
    [rule({}), ask("get", "pods"), true],
    [rule({}), ask("list", "pods"), false],
    [rule({}), ask("get", "pods/log"), false],
    [rule({ resources: ["pods/log"] }), ask("get", "pods/log"), true],
    [rule({ resources: ["*/scale"] }), ask("get", "things/scale"), true],
    [rule({ resources: ["*"] }), ask("get", "pods/log"), true],
    [rule({ resources: ["xpods/log"] }), ask("get", "pods/log"), false],
    [rule({ apiGroups: ["apps"] }), ask("get", "pods"), false],
    [rule({ resourceNames: ["a"] }), ask("get", "pods", "", "a"), true],
    [rule({ resourceNames: ["a"] }), ask("get", "pods", "", "b"), false],
    [rule({ resourceNames: ["a"] }), ask("list", "pods"), false],
    [{ verbs: ["get"], nonResourceURLs: ["/api/*"] }, askPath("get", "/api/v1"), true],
    [{ verbs: ["get"], nonResourceURLs: ["/api"] }, askPath("get", "/api/v1"), false],
    [{ verbs: ["*"], nonResourceURLs: ["*"] }, ask("get", "pods"), false],
  ]
  rows.forEach(([r, asked, expected], i) => {
    it(`row ${i}: ${ruleText(r)}`, () => assert.equal(ruleAllows(r, asked), expected))
  })

  it("cover one another", () => {
    assert.deepEqual(uncoveredRules([rule({ verbs: ["*"] })], [rule({ verbs: ["get", "list"] })]), [])
    const missing = uncoveredRules(
      [rule({})],
      [rule({ verbs: ["get", "list", "watch"], resources: ["pods", "nodes"] })],
    )
    assert.deepEqual(compactRules(missing).map(ruleText), [
      '{APIGroups:[""], Resources:["pods"], Verbs:["list" "watch"]}',
      '{APIGroups:[""], Resources:["nodes"], Verbs:["get" "list" "watch"]}',
    ])
  })
})

describe("Rbac", () => {
  const reader = readerOf([
    [
      clusterRole,
      { metadata: { name: "view" }, rules: [{ verbs: ["get"], apiGroups: [""], resources: ["pods"] }] },
    ],
    [
      role,
      {
        metadata: { name: "local", namespace: "ci" },
        rules: [{ verbs: ["create"], apiGroups: ["apps"], resources: ["deployments"] }],
      },
    ],
    [
      clusterRoleBinding,
      {
        metadata: { name: "all-view" },
        roleRef: roleRef("ClusterRole", "view"),
        subjects: [{ kind: "Group", name: "devs" }],
      },
    ],
    [
      clusterRoleBinding,
      {
        metadata: { name: "broken" },
        roleRef: roleRef("ClusterRole", "gone"),
        subjects: [{ kind: "User", name: "eve" }],
      },
    ],
    [
      roleBinding,
      {
        metadata: { name: "robots", namespace: "ci" },
        roleRef: roleRef("Role", "local"),
        subjects: [{ kind: "ServiceAccount", name: "robot" }],
      },
    ],
  ])
  const rbac = new Rbac(reader)

  it("allows by group, and says why", () => {
    assert.deepEqual(rbac.authorize(eve, ask("get", "pods", "x")), {
      verdict: "allow",
      reason: 'RBAC: allowed by ClusterRoleBinding "all-view" of ClusterRole "view" to Group "devs"',
    })
  })

  it("allows a service account in its namespace only", () => {
    const asked = (namespace: string): AuthorizationAttributes =>
      ask("create", "deployments", namespace, "", "apps")
    assert.deepEqual(rbac.authorize(robot, asked("ci")), {
      verdict: "allow",
      reason: 'RBAC: allowed by RoleBinding "robots/ci" of Role "local" to ServiceAccount "robot/ci"',
    })
    assert.deepEqual(rbac.authorize(robot, asked("default")), { verdict: "noOpinion", reason: "" })
  })

  it("names roles that are missing", () => {
    assert.deepEqual(rbac.authorize(eve, ask("delete", "pods", "x")), {
      verdict: "noOpinion",
      reason: 'RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found',
    })
  })

  const attempt = (rules: PolicyRule[]): void =>
    void createEscalationCheck(rbac, rbac).validate!(
      createAdmissionRequest({
        operation: "CREATE",
        kind: role,
        subresource: "",
        namespace: "x",
        name: "r",
        object: { apiVersion: "", kind: "Role", metadata: { name: "r" }, rules } as unknown as KubeObject,
        oldObject: undefined,
        user: { name: "eve", groups: ["devs"] },
        dryRun: false,
        options: {},
        warnings: [],
      }),
    )

  it("are looked up in bounded time, however much a short role stands for", () => {
    const many = (prefix: string): string[] => Array.from({ length: 1000 }, (_, i) => `${prefix}${i}`)
    const product = { apiGroups: many("g"), resources: many("r"), verbs: many("v") }
    const wide = [{ apiGroups: ["*"], resources: ["*"], verbs: ["*"] }]
    assert.equal(comparedParts(wide, [product]), 0)
    assert.deepEqual(uncoveredRules(wide, [product]), [])
    assert.equal(comparedParts([], [product]), 1e9)
    assert.equal(comparedParts([], [{ nonResourceURLs: many("/"), verbs: many("v") }]), 1e6)
    const named = { apiGroups: ["a"], resources: ["b", "c"], resourceNames: ["d", "e", "f"], verbs: ["g"] }
    assert.equal(comparedParts([], [named, named]), 12)
    assert.throws(() => attempt([product]), {
      message:
        'roles.rbac.authorization.k8s.io "r" is forbidden: the rules stand for 1000000000 permissions, ' +
        "and no more than 50000 are compared with those that the user holds",
    })
  })

  it("refuses to grant what one does not have", () => {
    attempt([{ verbs: ["get"], apiGroups: [""], resources: ["pods"] }])
    assert.throws(() => attempt([{ verbs: ["get", "list"], apiGroups: [""], resources: ["nodes"] }]), {
      message:
        'roles.rbac.authorization.k8s.io "r" is forbidden: user "eve" (groups=["devs"]) is attempting to grant RBAC permissions not currently held:\n' +
        '{APIGroups:[""], Resources:["nodes"], Verbs:["get" "list"]}; resolution errors: [clusterrole.rbac.authorization.k8s.io "gone" not found]',
    })
  })
})
