/** How a metric is asked for. */

export interface MetricOptions {
  readonly name: string
  readonly help: string
  /** Names of the labels; values are given in the same order. Default: none. */
  readonly labels?: readonly string[]
  /** As Kubernetes promises it; "" of what is not its own. Default: ALPHA. */
  readonly stability?: "" | "ALPHA" | "BETA" | "STABLE"
}

export interface HistogramOptions extends MetricOptions {
  /** Upper bounds, ascending, without +Inf. */
  readonly buckets: readonly number[]
}

/** Values that are read when somebody asks; each with its labels' values. */
export type ReadValues = () => Iterable<readonly [labelValues: readonly string[], value: number]>
