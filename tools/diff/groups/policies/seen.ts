/** What expressions see of requests: each is told in a warning. */
import { get, namespaceSteps, patch, post, put, remove, type Body, type Step } from "../../script.ts"
import { constraints, policySteps, removalSteps, rule, settledSteps, validating } from "./policy.ts"

/** Which of some keys a map has. */
const keysOf = (map: string, keys: string): string =>
  `(${map} == null ? '-' : '${keys}'.split(' ').filter(k, k in ${map}).join(' '))`
const objectKeys =
  "apiVersion kind metadata spec data target deleteOptions immutable command container stdin stdout stderr tty ports path"

/** Texts that are told of each request. */
const told: readonly string[] = [
  "request.operation + ' ' + string(request.dryRun) + ' ' + (has(request.name) ? request.name.substring(0, 1) : '-')",
  "has(request.namespace) ? request.namespace : '-'",
  "request.kind.group + '/' + request.kind.version + '/' + request.kind.kind",
  "request.resource.group + '/' + request.resource.version + '/' + request.resource.resource",
  "request.requestKind.group + '/' + request.requestKind.version + '/' + request.requestKind.kind",
  "request.requestResource.resource",
  "has(request.subResource) ? request.subResource : '-'",
  "has(request.requestSubResource) ? request.requestSubResource : '-'",
  "request.userInfo.username + ' ' + string(request.userInfo.groups.size())",
  "string(has(request.userInfo.uid)) + string(has(request.userInfo.extra))",
  `string(request.options.kind) + ' ' + ${keysOf("request.options", "apiVersion dryRun fieldManager fieldValidation force gracePeriodSeconds propagationPolicy preconditions")}`,
  keysOf("object", objectKeys),
  "object == null || !has(object.metadata) ? '-' : string(has(object.metadata.uid)) + string(has(object.metadata.resourceVersion)) + string(has(object.metadata.managedFields))",
  "object == null || !has(object.apiVersion) ? '-' : string(object.apiVersion) + ' ' + string(object.kind)",
  keysOf("oldObject", objectKeys),
  "namespaceObject == null ? '-' : namespaceObject.metadata.name + ' ' + string(namespaceObject.status.phase)",
  "string(authorizer.requestResource.check('get').allowed()) + authorizer.requestResource.check('get').reason()",
  "authorizer.serviceAccount('default', 'nobody').group('').resource('pods').namespace('default').check('get').allowed() ? 'y' : 'n'",
  "params == null ? '-' : string(params.kind) + string(params.data.a)",
]

export function seen(namespace: string): Step[] {
  const at = `/api/v1/namespaces/${namespace}`
  const apps = `/apis/apps/v1/namespaces/${namespace}`
  const scaling = (version: string): string =>
    `/apis/autoscaling/${version}/namespaces/${namespace}/horizontalpodautoscalers`
  const name = "x"
  const labels = { app: "x" }
  const template = { metadata: { labels }, spec: { containers: [{ name: "c", image: "i" }] } }
  const deployment = { metadata: { name }, spec: { selector: { matchLabels: labels }, template } }
  const scaleTargetRef = { apiVersion: "apps/v1", kind: "Deployment", name }
  const pod = { metadata: { name }, spec: { containers: [{ name: "c", image: "i" }] } }
  const resources = [
    rule("configmaps"),
    rule("deployments"),
    rule("deployments/*"),
    rule("pods"),
    rule("pods/*"),
    rule("serviceaccounts/token"),
    rule("horizontalpodautoscalers", { apiVersions: ["v2"] }),
  ]
  // Texts are told by variables: messages do not see the authorizer.
  const variables = told.map((expression, i) => ({ name: `t${i}`, expression }))
  const validations = told.map((_, i) => ({
    expression: `variables.t${i} == ''`,
    messageExpression: `'${i}: ' + variables.t${i}`,
  }))
  const paramRef = { name: "param", parameterNotFoundAction: "Deny" }
  return [
    ...namespaceSteps(namespace),
    post("parameter", `${at}/configmaps`, { metadata: { name: "param" }, data: { a: "b" } }),
    ...policySteps(
      validating,
      namespace,
      {
        matchConstraints: constraints(namespace, ...resources),
        paramKind: { apiVersion: "v1", kind: "ConfigMap" },
        variables,
        validations,
      },
      { validationActions: ["Warn"], paramRef },
    ),
    ...settledSteps(namespace),
    post("create", `${at}/configmaps`, { metadata: { name } }),
    post("create, generated name", `${at}/configmaps?dryRun=All&fieldValidation=Strict&fieldManager=m`, {
      metadata: { generateName: "generated-" },
    }),
    put("update", `${at}/configmaps/x`, { metadata: { name }, data: { a: "b" } }),
    patch("patch", `${at}/configmaps/x?fieldManager=m`, "merge", { data: { a: "c" } }),
    patch("apply", `${at}/configmaps/applied?fieldManager=m&force=true`, "apply", {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "applied" },
    }),
    remove("delete", `${at}/configmaps/x`, { gracePeriodSeconds: 0, propagationPolicy: "Background" }),
    remove("delete collection", `${at}/configmaps?labelSelector=a=b`),
    post("create a deployment", `${apps}/deployments`, deployment as Body),
    patch("scale", `${apps}/deployments/x/scale`, "merge", { spec: { replicas: 2 } }),
    patch("status", `${apps}/deployments/x/status`, "merge", { status: { replicas: 1 } }),
    post("another version", scaling("v1"), {
      metadata: { name },
      spec: { scaleTargetRef, maxReplicas: 2 },
    }),
    post("create a pod", `${at}/pods`, pod as Body),
    post("bind", `${at}/pods/x/binding`, { metadata: { name }, target: { kind: "Node", name: "n" } }),
    post("evict", `${at}/pods/x/eviction`, {
      apiVersion: "policy/v1",
      kind: "Eviction",
      metadata: { name },
    }),
    post("exec", `${at}/pods/x/exec?command=a&command=b&container=c&stdin=true&tty=0&stdout=1`, ""),
    get("attach", `${at}/pods/x/attach?stdin=true`),
    post("forward", `${at}/pods/x/portforward?ports=80&ports=81`, ""),
    get("proxy", `${at}/pods/x/proxy/a/b?c=d`),
    post("token", `${at}/serviceaccounts/default/token`, { spec: {} }),
    ...removalSteps(validating, `${namespace}-settled`),
    ...removalSteps(validating, namespace),
  ]
}
