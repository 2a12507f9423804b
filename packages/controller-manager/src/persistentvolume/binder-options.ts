/** What an operator says of binding. Mirrors: pkg/controller/volume/persistentvolume/options */

export interface BinderOptions {
  /** After so long what waits, or could not be reclaimed, is looked at again, in milliseconds. Default 15,000. */
  readonly resyncMs?: number
  /** Whether provisioners are asked for volumes. Default true. */
  readonly dynamicProvisioning?: boolean
  /** The least time that recycling may take, in seconds. Default 60. */
  readonly hostPathRecyclerSeconds?: number
  /** For each GiB, at the least so much. Default 30. */
  readonly hostPathRecyclerSecondsPerGiB?: number
  /** Default 300. */
  readonly nfsRecyclerSeconds?: number
  /** Default 30. */
  readonly nfsRecyclerSecondsPerGiB?: number
}
