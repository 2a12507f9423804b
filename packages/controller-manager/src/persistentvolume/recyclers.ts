/** The pods that recycle volumes now: of these alone the result counts, and what happens to them is told of the volume. */
import { event, type Event, type Pod } from "@knarr/api"
import type { InformerLease, InformerSelection } from "@knarr/client"
import type { Kind, KubeObject } from "@knarr/apimachinery"

type Lease = <K extends KubeObject>(kind: Kind<K>, selection: InformerSelection) => InformerLease<K>

export class Recyclers {
  /** By the volume's name; gone with the volume at the latest. */
  readonly #running = new Map<string, { readonly uid: string; readonly events: Disposable | undefined }>()
  #lease: Lease | undefined

  /** Until it is called events are not followed. */
  followWith(lease: Lease): void {
    this.#lease = lease
  }

  uidOf(volumeName: string): string | undefined {
    return this.#running.get(volumeName)?.uid
  }

  begin(volumeName: string, { metadata }: Readonly<Pod>, told: (event: Event) => void): void {
    const { namespace, name, uid } = metadata
    const fieldSelector = `involvedObject.name=${name}`
    const lease = this.#lease?.(event, { ...(namespace ? { namespace } : {}), fieldSelector })
    const subscription = lease?.informer.subscribe({
      added: (one) => void (one.involvedObject.uid === uid && told(one)),
    })
    const events = lease && {
      [Symbol.dispose]() {
        subscription?.[Symbol.dispose]()
        lease[Symbol.dispose]()
      },
    }
    this.#running.set(volumeName, { uid, events })
  }

  end(volumeName: string): void {
    this.#running.get(volumeName)?.events?.[Symbol.dispose]()
    this.#running.delete(volumeName)
  }
}
