/** Samples. Workloads, what scales and protects them. */
import type { Entries } from "./entry.ts"
import { claimSpec, jobTemplate, richTemplate, selector, template } from "./pods.ts"

export const workloadsObjects: Entries = {
  "apps/v1 ControllerRevision": { minimal: { revision: 1, data: { a: 1 } } },
  "apps/v1 DaemonSet": {
    minimal: { spec: { selector, template } },
    rich: {
      spec: {
        selector: {
          matchLabels: { app: "a" },
          matchExpressions: [{ key: "app", operator: "In", values: ["a"] }],
        },
        template: richTemplate,
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } },
        minReadySeconds: 1,
        revisionHistoryLimit: 2,
      },
    },
  },
  "apps/v1 Deployment": {
    minimal: { spec: { selector, template } },
    rich: {
      spec: {
        replicas: 2,
        selector: {
          matchLabels: { app: "a" },
          matchExpressions: [{ key: "app", operator: "In", values: ["a"] }],
        },
        template: richTemplate,
        strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: "25%", maxSurge: 1 } },
        minReadySeconds: 1,
        revisionHistoryLimit: 2,
        progressDeadlineSeconds: 30,
        paused: true,
      },
    },
  },
  "apps/v1 ReplicaSet": {
    minimal: { spec: { selector, template } },
    rich: { spec: { replicas: 2, minReadySeconds: 1, selector, template: richTemplate } },
  },
  "apps/v1 StatefulSet": {
    minimal: { spec: { selector, serviceName: "s", template } },
    rich: {
      spec: {
        selector,
        serviceName: "s",
        replicas: 2,
        template: richTemplate,
        podManagementPolicy: "Parallel",
        updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 1 } },
        revisionHistoryLimit: 2,
        minReadySeconds: 1,
        volumeClaimTemplates: [{ metadata: { name: "data" }, spec: claimSpec }],
        persistentVolumeClaimRetentionPolicy: { whenDeleted: "Delete", whenScaled: "Retain" },
        ordinals: { start: 1 },
      },
    },
  },
  "autoscaling/v1 HorizontalPodAutoscaler": {
    minimal: {
      spec: { maxReplicas: 5, scaleTargetRef: { kind: "Deployment", name: "d", apiVersion: "apps/v1" } },
    },
    rich: {
      spec: {
        minReplicas: 2,
        maxReplicas: 5,
        targetCPUUtilizationPercentage: 40,
        scaleTargetRef: { kind: "Deployment", name: "d", apiVersion: "apps/v1" },
      },
    },
  },
  "autoscaling/v2 HorizontalPodAutoscaler": {
    minimal: {
      spec: { maxReplicas: 5, scaleTargetRef: { kind: "Deployment", name: "d", apiVersion: "apps/v1" } },
    },
    rich: {
      spec: {
        minReplicas: 2,
        maxReplicas: 5,
        scaleTargetRef: { kind: "Deployment", name: "d", apiVersion: "apps/v1" },
        behavior: {
          scaleUp: {
            stabilizationWindowSeconds: 0,
            selectPolicy: "Max",
            policies: [{ type: "Pods", value: 4, periodSeconds: 15 }],
          },
          scaleDown: {
            stabilizationWindowSeconds: 60,
            policies: [{ type: "Percent", value: 10, periodSeconds: 60 }],
          },
        },
        metrics: [
          {
            type: "Resource",
            resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } },
          },
          {
            type: "Pods",
            pods: {
              metric: { name: "m", selector: { matchLabels: { a: "b" } } },
              target: { type: "AverageValue", averageValue: "1" },
            },
          },
          {
            type: "Object",
            object: {
              metric: { name: "o" },
              describedObject: { kind: "Service", name: "s", apiVersion: "v1" },
              target: { type: "Value", value: "2" },
            },
          },
          { type: "External", external: { metric: { name: "e" }, target: { type: "Value", value: "3" } } },
          {
            type: "ContainerResource",
            containerResource: {
              name: "memory",
              container: "c",
              target: { type: "AverageValue", averageValue: "1Mi" },
            },
          },
        ],
      },
    },
  },
  "batch/v1 CronJob": {
    minimal: { spec: { schedule: "*/5 * * * *", jobTemplate: { spec: { template: jobTemplate } } } },
    rich: {
      spec: {
        schedule: "0 1 * * 1",
        timeZone: "Etc/UTC",
        startingDeadlineSeconds: 10,
        concurrencyPolicy: "Forbid",
        suspend: true,
        successfulJobsHistoryLimit: 1,
        failedJobsHistoryLimit: 2,
        jobTemplate: {
          metadata: { labels: { a: "b" } },
          spec: { template: jobTemplate, backoffLimit: 3, parallelism: 2 },
        },
      },
    },
  },
  "batch/v1 Job": {
    minimal: { spec: { template: jobTemplate } },
    rich: {
      spec: {
        parallelism: 2,
        completions: 3,
        activeDeadlineSeconds: 100,
        backoffLimit: 2,
        backoffLimitPerIndex: 1,
        maxFailedIndexes: 1,
        completionMode: "Indexed",
        ttlSecondsAfterFinished: 5,
        suspend: true,
        podReplacementPolicy: "Failed",
        podFailurePolicy: {
          rules: [
            { action: "FailJob", onExitCodes: { containerName: "c", operator: "In", values: [1, 2] } },
            { action: "Ignore", onPodConditions: [{ type: "DisruptionTarget", status: "True" }] },
          ],
        },
        successPolicy: { rules: [{ succeededIndexes: "0-1", succeededCount: 1 }] },
        template: jobTemplate,
      },
    },
  },
  "policy/v1 PodDisruptionBudget": {
    minimal: { spec: { minAvailable: 1, selector: { matchLabels: { a: "b" } } } },
    rich: {
      spec: {
        maxUnavailable: "50%",
        unhealthyPodEvictionPolicy: "AlwaysAllow",
        selector: { matchExpressions: [{ key: "a", operator: "NotIn", values: ["b"] }] },
      },
    },
  },
  "scheduling.k8s.io/v1 PriorityClass": {
    minimal: { value: 5 },
    rich: { value: 5, globalDefault: false, description: "t", preemptionPolicy: "Never" },
  },
}
