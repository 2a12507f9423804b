/**
 * A volume plugin for tests, with everything that a driver of real disks has: attached by somebody else, staged once a node,
 * published to each pod by a bind mount. Its disks are in memory and gone when they are unstaged.
 */
import { defineVolume, type VolumePlugin, type VolumeSpec } from "@knarr/volume"

/** `calls` is told of what the plugin does, with `again` where it was done already. */
export function createMemoryDisk(calls: string[]): VolumePlugin {
  const say = (what: string, handle: string | undefined, isNew = true): void =>
    void calls.push(`${what} ${handle}${isNew ? "" : " again"}`)
  return defineVolume({
    name: "test.knarr.dev/memory-disk",
    canSupport: ({ persistentVolume }) => persistentVolume?.spec.csi?.driver === "memory-disk",
    record: (spec) => ({ handle: handleOf(spec) }),
    attach: {
      attachment: (spec, nodeName) => ({
        name: `${handleOf(spec)}-${nodeName}`,
        handle: handleOf(spec),
        uniqueName: `test.knarr.dev/memory-disk/${handleOf(spec)}`,
      }),
    },
    stage: {
      device: handleOf,
      async stage({ spec, deviceDir, attached, host, signal }) {
        const options = { source: "tmpfs", fsType: "tmpfs", flags: [`size=${attached["size"]}`] }
        say("stage", handleOf(spec), await host.mount(deviceDir, options, signal))
      },
      async unstage({ deviceDir, data, host, signal }) {
        say("unstage", data["handle"])
        await host.unmount(deviceDir, signal)
      },
    },
    async publish({ spec, dir, deviceDir, host, signal }) {
      say("publish", handleOf(spec), await host.bindMount(deviceDir!, dir, spec, signal))
      return { hostPath: dir, readOnly: false }
    },
    usage: (hostPath, host) => host.usage(hostPath),
    async unpublish({ dir, data, host, signal }) {
      say("unpublish", data["handle"])
      await host.unmount(dir, signal)
    },
  })
}

function handleOf({ persistentVolume }: VolumeSpec): string {
  return persistentVolume!.spec.csi!.volumeHandle
}
