/** What the scheduler, which is part of the server, is told. Mirrors: cmd/kube-scheduler/app/options/options.go */
import type { FlagGroup, FlagValues } from "./flag-group.ts"

const flag = "kube-scheduler-config"

export const schedulerFlags: FlagGroup = Object.freeze<FlagGroup>({
  flags: { [flag]: "file" },
  read: () => ({}),
})

/** The file that kube-scheduler's `--config` would name. */
export function schedulerConfigFile(values: FlagValues): string | undefined {
  return values[flag]
}
