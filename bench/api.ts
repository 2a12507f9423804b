/** `bench api`: both API servers under the same load, in rounds that take turns, so that noise hits both. */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { startWebhook } from "./admission.ts"
import { LoadClient, type Load, type LoadResult } from "./load-client.ts"
import { startKnarr } from "./knarr-server.ts"
import { defaultServiceAccountBody, namespaceBody } from "./objects.ts"
import { createPods, json, listed, namespaces, operations, patched, type Operation } from "./operations.ts"
import { topFunctions } from "./profile.ts"
import { startReference } from "./reference-server.ts"
import { bound, figure, isMet, percentile, ratio, renderTable, verdict } from "./report.ts"
import type { Memory } from "./process-stats.ts"
import type { Server, Side } from "./server.ts"
import { sleep, type Workspace } from "./workspace.ts"

export interface ApiOptions {
  readonly quick: boolean
  /** Only operations whose name contains one of these. */
  readonly only?: readonly string[] | undefined
  readonly sides: readonly Side[]
  /** Where Knarr's CPU profiles go, one per operation. */
  readonly profile?: string | undefined
  readonly print: (text: string) => void
}

interface Sample {
  requests: number
  seconds: number
  cpuMs: number
  errors: number
  firstError?: string | undefined
  micros: number[]
}

/** The figures of one operation on one side. */
export interface Figures {
  readonly perSecond: number
  readonly cpuMs: number
  readonly p50Ms?: number | undefined
  readonly p99Ms?: number | undefined
  readonly requests: number
  readonly errors: number
  readonly firstError?: string | undefined
}

type PerSide<T> = Partial<Record<Side, T>>

export interface ApiReport {
  readonly operations: readonly {
    readonly name: string
    readonly figures: PerSide<Figures>
    readonly goal?: Operation["goal"]
    readonly met?: boolean | undefined
  }[]
  readonly readyMs: PerSide<number>
  readonly memoryAtRest: PerSide<Memory>
  readonly memoryAfterLoad: PerSide<Memory>
  readonly goalsMissed: number
}

interface Contestant {
  readonly server: Server
  readonly client: LoadClient
}

/** No new round begins after this long. */
const budgetMs = 200_000
const readyGoalMs = 500
/** How long the servers are left alone before their memory is read. */
const restMs = 2000

export async function benchApi(workspace: Workspace, options: ApiOptions): Promise<ApiReport> {
  const { print } = options
  const startedMs = performance.now()
  const contestants: Contestant[] = []
  for (const side of options.sides) {
    const start = side === "knarr" ? startKnarr : startReference
    const server = await start(workspace, side)
    contestants.push({ server, client: new LoadClient(workspace, server) })
  }
  await sleep(restMs)
  const memoryAtRest = perSide(contestants, ({ server }) => server.memory())
  print(`Preparing ${listed} pods on each server\n`)
  for (const { client } of contestants) await prepare(client)

  const rounds = options.quick ? 1 : 3
  await using webhook = await startWebhook()
  const all = operations(options.quick ? 0.5 : 1, webhook).filter(
    ({ name }) => !options.only || options.only.some((word) => name.includes(word)),
  )
  const samples = new Map<Operation, PerSide<Sample>>()
  for (const operation of all) {
    const found: PerSide<Sample> = {}
    samples.set(operation, found)
    for (const { client } of contestants) for (const load of operation.before ?? []) await must(client, load)
    if (operation.before) await sleep(restMs)
    for (const { client } of contestants) await warmUp(client, operation)
    for (let round = 0; round < rounds; round++) {
      if (performance.now() - startedMs > budgetMs && found.knarr) break
      for (const one of round % 2 === 0 ? contestants : contestants.toReversed())
        await measure(one, operation, round, (found[one.server.side] ??= emptySample()), options)
    }
    print(`  ${operation.name}\n`)
    const failed = Object.entries(found).find(([, sample]) => sample.errors > 0)
    if (failed) print(`    ${failed[0]}: ${failed[1].errors} errors, the first: ${failed[1].firstError}\n`)
  }
  await sleep(restMs)
  const memoryAfterLoad = perSide(contestants, ({ server }) => server.memory())
  const rows = all.map((operation) => {
    const figures: PerSide<Figures> = {}
    for (const [side, sample] of Object.entries(samples.get(operation)!))
      figures[side as Side] = figuresOf(sample)
    const { name, goal } = operation
    return { name, figures, ...(goal ? { goal, met: isMet(goal, ratios(figures)[goal.metric]) } : {}) }
  })
  const report: ApiReport = {
    operations: rows,
    readyMs: perSide(contestants, ({ server }) => server.readyMs),
    memoryAtRest,
    memoryAfterLoad,
    goalsMissed: 0,
  }
  const goalsMissed = printTables(report, print)
  for (const { server } of contestants.toReversed()) await server.stop()
  return { ...report, goalsMissed }
}

function perSide<T>(contestants: readonly Contestant[], read: (one: Contestant) => T): PerSide<T> {
  return Object.fromEntries(contestants.map((one) => [one.server.side, read(one)]))
}

function emptySample(): Sample {
  return { requests: 0, seconds: 0, cpuMs: 0, errors: 0, micros: [] }
}

async function must(client: LoadClient, load: Load): Promise<void> {
  const { errors, firstError } = await client.run(load)
  if (errors > 0) throw new Error(`Cannot prepare the load: ${firstError}`)
}

async function prepare(client: LoadClient): Promise<void> {
  const post = { method: "POST", contentType: json, accept: json, clients: 1, requests: 1 } as const
  for (const name of Object.values(namespaces)) {
    await must(client, { ...post, path: "/api/v1/namespaces", body: namespaceBody(name) })
    await must(client, {
      ...post,
      path: `/api/v1/namespaces/${name}/serviceaccounts`,
      body: defaultServiceAccountBody,
    })
  }
  await must(client, createPods(namespaces.list, 16, 0, listed))
  await must(client, createPods(namespaces.write, 16, 0, patched))
}

/** A tenth of a round or, where objects must be made first, one request for each. */
async function warmUp(client: LoadClient, operation: Operation): Promise<void> {
  const load = operation.load(-1)
  if (operation.watchers) return
  await client.run({
    ...load,
    ...(load.requests ? { requests: load.modulo ?? Math.ceil(load.requests / 5) } : {}),
    ...(load.seconds ? { seconds: load.seconds / 3 } : {}),
  })
}

async function measure(
  { server, client }: Contestant,
  operation: Operation,
  round: number,
  sample: Sample,
  options: ApiOptions,
): Promise<void> {
  const endProfile = options.profile && round === 0 ? await server.profile?.() : undefined
  let before = server.cpuMs()
  const load = operation.load(round)
  if (operation.watchers) {
    const result = await client.fanOut(`${load.path}?watch=1`, operation.watchers, load, () => {
      before = server.cpuMs()
    })
    if (result.delivered < result.expected)
      add(sample, result.writes, result.expected - result.delivered, "events were not delivered")
    else add(sample, result.writes)
    sample.requests += result.delivered
    sample.seconds += result.seconds
  } else {
    const result = await client.run(load)
    add(sample, result)
    sample.requests += result.requests
    sample.seconds += result.seconds
  }
  sample.cpuMs += server.cpuMs() - before
  if (endProfile) {
    const name = operation.name.replace(/[^\w]+/g, "-").replace(/^-|-$/g, "")
    mkdirSync(options.profile!, { recursive: true })
    const file = join(options.profile!, `${name}.cpuprofile`)
    await endProfile(file)
    options.print(topFunctions(file, 14))
  }
}

function add(sample: Sample, result: LoadResult, lost = 0, why?: string): void {
  sample.errors += result.errors + lost
  sample.firstError ??= result.firstError ?? why
  for (const one of result.micros) sample.micros.push(one)
}

function figuresOf(sample: Sample): Figures {
  const sorted = sample.micros.sort((a, b) => a - b)
  const ms = (share: number): number | undefined => {
    const micros = percentile(sorted, share)
    return micros === undefined ? undefined : micros / 1000
  }
  return {
    perSecond: sample.requests / sample.seconds,
    cpuMs: sample.cpuMs / sample.requests,
    p50Ms: ms(0.5),
    p99Ms: ms(0.99),
    requests: sample.requests,
    errors: sample.errors,
    firstError: sample.firstError,
  }
}

function ratios({ knarr, reference }: PerSide<Figures>): { throughput?: number; cpu?: number } {
  if (!knarr || !reference) return {}
  return { throughput: knarr.perSecond / reference.perSecond, cpu: knarr.cpuMs / reference.cpuMs }
}

/** Prints the tables; answers how many goals are missed. */
function printTables(report: ApiReport, print: (text: string) => void): number {
  let missed = 0
  const judge = (met: boolean | undefined): string => {
    if (met === false) missed++
    return verdict(met)
  }
  const header = [
    "",
    "Knarr/s",
    "ref/s",
    "ratio",
    "CPU ms",
    "ref",
    "ratio",
    "p50 ms",
    "ref",
    "p99 ms",
    "ref",
    "goal",
    "",
  ]
  const rows = report.operations.map(({ name, figures, goal, met }) => {
    const { knarr, reference } = figures
    const { throughput, cpu } = ratios(figures)
    return [
      name,
      ...[figure(knarr?.perSecond), figure(reference?.perSecond), ratio(throughput)],
      ...[figure(knarr?.cpuMs), figure(reference?.cpuMs), ratio(cpu)],
      ...[figure(knarr?.p50Ms), figure(reference?.p50Ms), figure(knarr?.p99Ms), figure(reference?.p99Ms)],
      goal ? `${goal.metric === "cpu" ? "CPU" : "rate"} ${bound(goal)}×` : "",
      goal ? judge(met) : "",
    ]
  })
  print(
    "\nPer second, server CPU per request (or per delivered event, its write included), latency of a request\n\n",
  )
  print(renderTable(header, rows))

  const megabytes = (memory: Memory | undefined): number | undefined => memory && memory.rss / 1e6
  const both = (
    name: string,
    values: PerSide<number>,
    goal?: { atMost: number; of: "ratio" | "value" },
  ): string[] => {
    const share =
      values.knarr !== undefined && values.reference !== undefined
        ? values.knarr / values.reference
        : undefined
    const judged = goal?.of === "value" ? values.knarr : share
    return [
      name,
      ...[figure(values.knarr), figure(values.reference), ratio(share)],
      goal ? `${bound(goal)}${goal.of === "ratio" ? "×" : ""}` : "",
      goal ? judge(isMet(goal, judged)) : "",
    ]
  }
  const sides = (
    memory: PerSide<Memory>,
    read: (one: Memory | undefined) => number | undefined,
  ): PerSide<number> => Object.fromEntries(Object.entries(memory).map(([side, one]) => [side, read(one)]))
  const anonymous = (memory: Memory | undefined): number | undefined => memory && memory.anonymous / 1e6
  print("\n")
  print(
    renderTable(
      ["", "Knarr", "reference", "ratio", "goal", ""],
      [
        both("ready, ms", report.readyMs, { atMost: readyGoalMs, of: "value" }),
        both("memory at rest, MB", sides(report.memoryAtRest, megabytes)),
        both("memory after the load, MB", sides(report.memoryAfterLoad, megabytes), {
          atMost: 1 / 2.5,
          of: "ratio",
        }),
        both("… without mapped files", sides(report.memoryAfterLoad, anonymous)),
      ],
    ),
  )
  return missed
}
