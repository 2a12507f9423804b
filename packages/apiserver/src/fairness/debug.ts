/** Tables that show what fairness does now. Mirrors: apiserver pkg/util/flowcontrol/apf_controller_debug.go */
import { formatMicroTime } from "@knarr/apimachinery"
import type { Clock } from "@knarr/base"
import type { Fairness } from "./fairness.ts"
import type { Ticket } from "./level.ts"

type Row = readonly string[]

/** As Go's tabwriter prints it: columns of eight characters or more, with commas behind all but the last. */
export function tabbed(rows: readonly Row[]): string {
  const cells = rows.map((row) => row.map((cell, i) => (i < row.length - 1 ? `${cell},` : cell)))
  const widths: number[] = []
  for (const row of cells)
    for (const [i, cell] of row.entries())
      if (i < row.length - 1) widths[i] = Math.max(widths[i] ?? 8, cell.length + 1)
  return cells
    .map((row) => row.map((cell, i) => (i < row.length - 1 ? cell.padEnd(widths[i]!) : cell)).join("") + "\n")
    .join("")
}

const levelColumns =
  "PriorityLevelName,ActiveQueues,IsIdle,IsQuiescing,WaitingRequests,ExecutingRequests,DispatchedRequests,RejectedRequests,TimedoutRequests,CancelledRequests".split(
    ",",
  )

export function dumpPriorityLevels({ levels }: Pick<Fairness, "levels">): string {
  const rows = [...levels]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, level]) => [
      name,
      String(level.queues.filter(({ waiting }) => waiting.length > 0).length),
      String(level.isIdle),
      String(level.quiescing),
      ...[level.waiting, level.executing, level.dispatched, level.rejected].map(String),
      ...[level.timedOut, level.cancelled].map(String),
    ])
  return tabbed([levelColumns, ...rows])
}

const queueColumns =
  "PriorityLevelName,Index,PendingRequests,ExecutingRequests,SeatsInUse,NextDispatchR,InitialSeatsSum,MaxSeatsSum,TotalWorkSum".split(
    ",",
  )

export function dumpQueues({ levels }: Pick<Fairness, "levels">): string {
  const rows: Row[] = [queueColumns]
  for (const [name, { queues }] of levels)
    for (const { index, waiting, executing, seatsInUse, nextDispatch } of queues) {
      const seats = waiting.reduce((sum, ticket) => sum + ticket.seats, 0)
      rows.push([
        name,
        ...[index, waiting.length, executing.size, seatsInUse].map(String),
        `${nextDispatch.toFixed(8)}ss`,
        String(seats),
        String(seats),
        `${(seats * 0.003).toFixed(8)}ss`,
      ])
    }
  return tabbed(rows)
}

const requestColumns =
  "PriorityLevelName,FlowSchemaName,QueueIndex,RequestIndexInQueue,FlowDistingsher,ArriveTime,InitialSeats,FinalSeats,AdditionalLatency,StartTime".split(
    ",",
  )
const detailColumns = "UserName,Verb,APIPath,Namespace,Name,APIVersion,Resource,SubResource".split(",")
const never = "0001-01-01T00:00:00Z"

/** With whose requests they are if `details`. */
export function dumpRequests({ levels }: Pick<Fairness, "levels">, clock: Clock, details: boolean): string {
  const rows: Row[] = [details ? [...requestColumns, ...detailColumns] : requestColumns]
  const wallOf = (ms: number): string => formatMicroTime(clock.now() - (clock.monotonic() - ms))
  for (const [name, level] of levels) {
    const add = (queue: number, at: number, ticket: Ticket): void => {
      const { schema, distinguisher, arrivedMs, seats, startedMs, describe } = ticket
      rows.push([
        ...[name, schema, String(queue), String(at), distinguisher, wallOf(arrivedMs), String(seats)],
        ...["0", "0s", startedMs === 0 ? never : wallOf(startedMs)],
        ...(details ? describe() : []),
      ])
    }
    for (const { index, waiting, executing } of level.queues) {
      for (const [at, ticket] of waiting.entries()) add(index, at, ticket)
      for (const ticket of executing) add(index, -1, ticket)
    }
    for (const ticket of level.withoutQueue) add(-1, -1, ticket)
  }
  return tabbed(rows)
}
