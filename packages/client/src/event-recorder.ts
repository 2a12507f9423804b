/** The contract for recording Events about objects. */
import type { KubeObject } from "@knarr/apimachinery"

export interface EventRecorder {
  /**
   * Records that something happened to `regarding`. Never blocks and never throws: events are sent in the
   * background, repeated ones are counted up as upstream's correlator does (spam filter, aggregation), and
   * dropped when the queue (1,000) is full.
   */
  event(regarding: EventSubject, type: "Normal" | "Warning", reason: string, message: string): void
}

/** The object, or what is needed to refer to it. `fieldPath` names a part, for example `spec.containers{app}`. */
export type EventSubject =
  | KubeObject
  | {
      readonly apiVersion: string
      readonly kind: string
      readonly metadata: {
        readonly namespace?: string | undefined
        readonly name: string
        readonly uid: string
        readonly resourceVersion?: string | undefined
      }
      readonly fieldPath?: string
    }
