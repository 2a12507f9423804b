/** Statuses as Go writes them: counters that are zero are left out where the API says so. */

/** A copy of `status` without those of the named fields that are 0. */
export function withoutZeros<T extends object>(status: T, fields: readonly (keyof T)[]): T {
  const out = { ...status }
  for (const field of fields) if (out[field] === 0) delete out[field]
  return out
}
