/** Defaults of taints of devices. Mirrors: pkg/apis/resource/v1/defaults.go (SetDefaults_DeviceTaint) */
import { formatTime } from "@knarr/apimachinery"
import type { DeviceTaint } from "./types.gen.ts"

/** A taint is as old as the first write that has it. */
export function setTaintDefaults(taint: DeviceTaint, nowMs: number): void {
  taint.timeAdded ??= formatTime(nowMs)
}
