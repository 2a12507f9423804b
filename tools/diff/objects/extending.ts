/** Samples. Policies, webhooks, definitions and services that extend the API. */
import type { Entries } from "./entry.ts"

const policyRules = {
  resourceRules: [
    { apiGroups: ["none.example.com"], apiVersions: ["v1"], operations: ["CREATE"], resources: ["things"] },
  ],
}
const webhook = {
  name: "hook.example.com",
  admissionReviewVersions: ["v1"],
  sideEffects: "None",
  clientConfig: { service: { name: "s", namespace: "n" } },
  rules: [
    {
      apiGroups: ["none.example.com"],
      apiVersions: ["v1"],
      operations: ["CREATE"],
      resources: ["things"],
      scope: "Namespaced",
    },
  ],
}
const richWebhook = {
  ...webhook,
  failurePolicy: "Ignore",
  matchPolicy: "Exact",
  timeoutSeconds: 3,
  namespaceSelector: { matchLabels: { a: "b" } },
  objectSelector: { matchExpressions: [{ key: "a", operator: "Exists" }] },
  matchConditions: [{ name: "m", expression: "true" }],
}
const mutatingPolicy = {
  matchConstraints: policyRules,
  reinvocationPolicy: "Never",
  mutations: [
    {
      patchType: "ApplyConfiguration",
      applyConfiguration: { expression: "Object{metadata: Object.metadata{}}" },
    },
  ],
}

export const extendingObjects: Entries = {
  "admissionregistration.k8s.io/v1 MutatingAdmissionPolicy": {
    minimal: { spec: mutatingPolicy },
    rich: {
      spec: {
        ...mutatingPolicy,
        failurePolicy: "Ignore",
        matchConditions: [{ name: "m", expression: "true" }],
        variables: [{ name: "v", expression: "1" }],
        paramKind: { apiVersion: "v1", kind: "ConfigMap" },
      },
    },
  },
  "admissionregistration.k8s.io/v1 MutatingAdmissionPolicyBinding": {
    minimal: { spec: { policyName: "d-none" } },
    rich: {
      spec: {
        policyName: "d-none",
        paramRef: { name: "p", namespace: "n", parameterNotFoundAction: "Allow" },
        matchResources: {
          ...policyRules,
          namespaceSelector: { matchLabels: { a: "b" } },
          matchPolicy: "Exact",
        },
      },
    },
  },
  "admissionregistration.k8s.io/v1 MutatingWebhookConfiguration": {
    minimal: { webhooks: [webhook] },
    rich: { webhooks: [{ ...richWebhook, reinvocationPolicy: "IfNeeded" }] },
  },
  "admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy": {
    minimal: { spec: { matchConstraints: policyRules, validations: [{ expression: "true" }] } },
    rich: {
      spec: {
        matchConstraints: {
          ...policyRules,
          matchPolicy: "Exact",
          objectSelector: { matchLabels: { a: "b" } },
        },
        validations: [{ expression: "object.metadata.name != ''", message: "m", reason: "Invalid" }],
        failurePolicy: "Ignore",
        matchConditions: [{ name: "m", expression: "true" }],
        variables: [{ name: "v", expression: "1" }],
        auditAnnotations: [{ key: "k", valueExpression: "'v'" }],
        paramKind: { apiVersion: "v1", kind: "ConfigMap" },
      },
    },
  },
  "admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding": {
    minimal: { spec: { policyName: "d-none", validationActions: ["Deny"] } },
    rich: {
      spec: {
        policyName: "d-none",
        validationActions: ["Warn", "Audit"],
        paramRef: { selector: { matchLabels: { a: "b" } }, parameterNotFoundAction: "Deny" },
        matchResources: policyRules,
      },
    },
  },
  "admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration": {
    minimal: { webhooks: [webhook] },
    rich: { webhooks: [{ ...richWebhook, clientConfig: { url: "https://a.b/c" } }] },
  },
  "apiextensions.k8s.io/v1 CustomResourceDefinition": {
    name: "things.d-diff.example.com",
    minimal: {
      spec: {
        group: "d-diff.example.com",
        scope: "Namespaced",
        names: { plural: "things", kind: "Thing" },
        versions: [
          { name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } },
        ],
      },
    },
    rich: {
      spec: {
        group: "d-diff.example.com",
        scope: "Cluster",
        names: {
          plural: "things",
          singular: "thing",
          kind: "Thing",
          listKind: "ThingList",
          shortNames: ["th"],
          categories: ["all"],
        },
        versions: [
          {
            name: "v1",
            served: true,
            storage: true,
            deprecated: true,
            deprecationWarning: "w",
            schema: {
              openAPIV3Schema: {
                type: "object",
                required: ["spec"],
                properties: {
                  spec: {
                    type: "object",
                    properties: {
                      size: { type: "integer", format: "int32", minimum: 1, default: 1 },
                      list: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set" },
                    },
                  },
                  status: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
                },
              },
            },
            subresources: {
              status: {},
              scale: { specReplicasPath: ".spec.size", statusReplicasPath: ".status.size" },
            },
            additionalPrinterColumns: [{ name: "Size", type: "integer", jsonPath: ".spec.size" }],
            selectableFields: [{ jsonPath: ".spec.size" }],
          },
        ],
        conversion: { strategy: "None" },
      },
    },
  },
  "apiregistration.k8s.io/v1 APIService": {
    name: "v1.d-diff.example.com",
    minimal: {
      spec: {
        group: "d-diff.example.com",
        version: "v1",
        groupPriorityMinimum: 100,
        versionPriority: 10,
        service: { name: "s", namespace: "n" },
        insecureSkipTLSVerify: true,
      },
    },
  },
}
