/** `bench controllers`: what controllers cost by themselves: lives of their objects on virtual time, in this process. */
import { runScenario } from "knarr/testing"
import { bound, figure, isMet, renderTable, verdict } from "./report.ts"

export interface ControllersOptions {
  readonly quick: boolean
  readonly print: (text: string) => void
}

type Scenario = Parameters<typeof runScenario>[0]
type Objects = Scenario["manifests"]

const containers = [{ name: "c", image: "c" }]
const minuteMs = 60_000

function cronJobs(count: number): Objects {
  return Array.from({ length: count }, (_, i) => ({
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name: `c${i}` },
    spec: {
      schedule: `${i % 60} * * * *`,
      jobTemplate: { spec: { template: { spec: { restartPolicy: "Never", containers } } } },
    },
  }))
}

function deployments(count: number, replicas: number): Objects {
  return Array.from({ length: count }, (_, i) => ({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: `d${i}` },
    spec: {
      replicas,
      selector: { matchLabels: { app: `d${i}` } },
      template: { metadata: { labels: { app: `d${i}` } }, spec: { containers } },
    },
  }))
}

export async function benchControllers({ quick, print }: ControllersOptions): Promise<unknown> {
  const share = quick ? 10 : 1
  const cases = [
    {
      name: `a day of ${100 / share} cron jobs`,
      hours: 24,
      manifests: cronJobs(100 / share),
      goal: { atMost: 10 },
    },
    {
      name: `${6 / Math.min(share, 3)} deployments of 50, for an hour`,
      hours: 1,
      manifests: deployments(6 / Math.min(share, 3), 50),
      goal: undefined,
    },
    { name: "an idle day", hours: 24, manifests: [], goal: undefined },
  ]
  const rows = []
  const report = []
  for (const { name, hours, manifests, goal } of cases) {
    const begun = performance.now()
    const cpu = process.cpuUsage()
    const { podsMade } = await runScenario({
      ...{ seed: 1, startMs: undefined, events: [], expectations: [], manifests },
      durationMs: hours * 60 * minuteMs,
      nodes: Array.from({ length: 3 }, (_, i) => ({ name: `node-${i}` })),
    })
    const seconds = (performance.now() - begun) / 1000
    const used = process.cpuUsage(cpu)
    const cpuSeconds = (used.user + used.system) / 1e6
    report.push({ name, seconds, cpuSeconds, podsMade })
    rows.push([
      name,
      `${figure(seconds)} s`,
      `${figure(cpuSeconds)} s`,
      String(podsMade),
      goal ? bound(goal) : "",
      goal && !quick ? verdict(isMet(goal, seconds)) : "",
    ])
  }
  print(renderTable(["", "time", "CPU", "pods", "goal", ""], rows))
  return report
}
