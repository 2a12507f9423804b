import assert from "node:assert/strict"
import { podOf } from "@knarr/testkit"
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { describe, it } from "node:test"
import type { ConfigMap, PersistentVolume, Pod, Secret, Volume } from "@knarr/api"
import { systemClock } from "@knarr/base"
import { snapshotMountArguments, type SnapshotMount } from "./image-snapshots.ts"
import { createLinuxVolumeHost } from "./linux-host.ts"
import { pluginFor } from "./plugins.ts"
import { hugePageSize, tmpfsSize } from "./plugins/empty-dir.volume.ts"
import { fsUserOf, podVolume, type PodCredentials, type VolumeContext, type VolumeReader } from "./volume.ts"

const isRoot = process.getuid?.() === 0
const signal = new AbortController().signal
const host = createLinuxVolumeHost({ clock: systemClock, canMount: false })

async function inFolder(run: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "knarr-volume-"))
  try {
    await run(dir)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

function podWith(spec: Partial<Pod["spec"]> = {}, metadata: Partial<Pod["metadata"]> = {}): Pod {
  const containers = [{ name: "app", image: "i" }]
  return podOf({ metadata: { namespace: "ns", uid: "u-1", ...metadata }, spec: { containers, ...spec } })
}

interface Objects {
  configMaps?: Record<string, Partial<ConfigMap>>
  secrets?: Record<string, Partial<Secret>>
  token?: () => string
  certificate?: PodCredentials
}

function readerOf({ configMaps = {}, secrets = {}, token, certificate }: Objects): VolumeReader {
  return {
    async trustAnchors({ name = "", optional = false }) {
      if (!optional) throw new Error("while getting ClusterTrustBundle: none")
      return `anchors of ${name}`
    },
    async podCertificate(_, volume, index) {
      if (!certificate) throw new Error("credential bundle is not issued yet")
      return { key: certificate.key, chain: `${certificate.chain} of ${volume} ${index}` }
    },
    async secret(_, name) {
      return secrets[name] as Secret | undefined
    },
    async configMap(_, name) {
      return configMaps[name] as ConfigMap | undefined
    },
    async serviceAccountToken(_, audience, seconds) {
      if (!token) throw new Error("failed to fetch token: no")
      return `${token()}/${audience ?? ""}/${seconds}`
    },
  }
}

function contextOf(
  dir: string,
  volume: Omit<Volume, "name">,
  objects: Objects = {},
  pod = podWith(),
): VolumeContext {
  const allocatable = { cpu: "4", memory: "1Gi" }
  return {
    pod,
    spec: podVolume({ name: "v", ...volume }),
    dir: join(dir, "v"),
    metaDir: join(dir, "meta"),
    deviceDir: undefined,
    attached: {},
    reader: readerOf(objects),
    host,
    allocatable,
    signal,
  }
}

async function mount(context: VolumeContext): Promise<string> {
  return (await pluginFor(context.spec).publish(context)).hostPath
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64")
}

const mode = (path: string): string => (statSync(path).mode & 0o7777).toString(8)

describe("volumes made from objects", () => {
  it("are links into ..data, and a new version is one rename", () =>
    inFolder(async (dir) => {
      const configMaps: Record<string, Partial<ConfigMap>> = {
        cm: { data: { a: "1", b: "2" }, binaryData: { bin: Buffer.from([0, 255]).toString("base64") } },
      }
      const context = contextOf(dir, { configMap: { name: "cm" } }, { configMaps })
      const path = await mount(context)
      assert.equal(readFileSync(join(path, "a"), "utf8"), "1")
      assert.deepEqual([...readFileSync(join(path, "bin"))], [0, 255])
      assert.equal(readlinkSync(join(path, "a")), "..data/a")
      const first = readlinkSync(join(path, "..data"))
      assert.match(first, /^\.\.\d{4}(_\d\d){5}\..+/)
      assert.equal(mode(join(path, "a")), "644")
      assert.equal(mode(path), "777")
      await mount(context)
      assert.equal(readlinkSync(join(path, "..data")), first, "unchanged files are left alone")
      configMaps["cm"] = { data: { a: "new", c: "3" } }
      await mount(context)
      assert.equal(readFileSync(join(path, "a"), "utf8"), "new")
      assert.equal(existsSync(join(path, "b")), false)
      assert.deepEqual(
        readdirSync(path)
          .filter((name) => !name.startsWith(".."))
          .sort(),
        ["a", "c"],
      )
      assert.equal(existsSync(join(path, first)), false, "the old version is gone")
      assert.notEqual(readlinkSync(join(path, "..data")), first)
    }))

  it("take items, modes and nested paths", () =>
    inFolder(async (dir) => {
      const secrets = { s: { data: { user: base64("root"), password: base64("x") } } }
      const items = [
        { key: "user", path: "deep/er/name", mode: 0o400 },
        { key: "password", path: "deep/pw" },
      ]
      const path = await mount(
        contextOf(dir, { secret: { secretName: "s", items, defaultMode: 0o440 } }, { secrets }),
      )
      assert.equal(readFileSync(join(path, "deep/er/name"), "utf8"), "root")
      assert.equal(mode(join(path, "deep/er/name")), "400")
      assert.equal(mode(join(path, "deep/pw")), "440")
      assert.equal(readlinkSync(join(path, "deep")), "..data/deep")
    }))

  it("fail in upstream's words, or are empty when optional", () =>
    inFolder(async (dir) => {
      const configMaps = { cm: { data: { a: "1" } } }
      const secrets = { s: { data: {} } }
      const cases: readonly (readonly [Omit<Volume, "name">, string])[] = [
        [{ configMap: { name: "no" } }, 'configmap "no" not found'],
        [{ secret: { secretName: "no" } }, 'secret "no" not found'],
        [
          { configMap: { name: "cm", items: [{ key: "z", path: "z" }] } },
          "configmap references non-existent config key: z",
        ],
        [
          { secret: { secretName: "s", items: [{ key: "z", path: "z" }] } },
          "references non-existent secret key: z",
        ],
        [
          { projected: { sources: [{ configMap: { name: "x" } }, { secret: { name: "y" } }] } },
          '[configmap "x" not found, secret "y" not found]',
        ],
        [{ projected: { sources: [{ serviceAccountToken: { path: "t" } }] } }, "failed to fetch token: no"],
        [
          { projected: { sources: [{ clusterTrustBundle: { name: "b", path: "p" } }] } },
          "while getting ClusterTrustBundle: none",
        ],
        [
          { projected: { sources: [{ podCertificate: { signerName: "e.com/s", keyType: "ED25519" } }] } },
          "credential bundle is not issued yet",
        ],
        [{ nfs: { server: "s", path: "/" } }, 'no volume plugin matched: this node has none for "nfs"'],
      ]
      for (const [volume, message] of cases)
        await assert.rejects(async () => mount(contextOf(dir, volume, { configMaps, secrets })), { message })
      assert.equal(existsSync(join(dir, "v")), false, "a failure leaves nothing behind")
      const path = await mount(contextOf(dir, { configMap: { name: "no", optional: true } }))
      assert.deepEqual(
        readdirSync(path).filter((name) => !name.startsWith("..")),
        [],
      )
    }))

  it("say what a claim's volume is of, when nobody takes it", () => {
    const spec = {
      capacity: { storage: "1Gi" },
      accessModes: ["ReadWriteMany"],
      nfs: { server: "s", path: "/" },
    }
    const volume = { name: "v", persistentVolume: { spec } as unknown as PersistentVolume, readOnly: false }
    assert.throws(() => pluginFor(volume), {
      message: 'no volume plugin matched: this node has none for "nfs"',
    })
  })

  it("project several sources, the token with the pod's own mode", () =>
    inFolder(async (dir) => {
      let count = 0
      const objects: Objects = {
        configMaps: { "kube-root-ca.crt": { data: { "ca.crt": "CA" } } },
        token: () => `token${++count}`,
      }
      const sources = [
        { serviceAccountToken: { path: "token", expirationSeconds: 3607, audience: "api" } },
        { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
        { downwardAPI: { items: [{ path: "namespace", fieldRef: { fieldPath: "metadata.namespace" } }] } },
      ]
      const pod = podWith({ securityContext: isRoot ? { runAsUser: 1234 } : {} })
      const path = await mount(contextOf(dir, { projected: { sources, defaultMode: 0o644 } }, objects, pod))
      assert.equal(readFileSync(join(path, "token"), "utf8"), "token1/api/3607")
      assert.equal(readFileSync(join(path, "ca.crt"), "utf8"), "CA")
      assert.equal(readFileSync(join(path, "namespace"), "utf8"), "ns")
      if (!isRoot) return
      assert.equal(statSync(join(path, "token")).uid, 1234)
      assert.equal(mode(join(path, "token")), "600")
      for (const [own, defaultUser, want] of [
        [undefined, 77, 77],
        [88, 77, 88],
      ] as const) {
        const token = { path: "token", ...(own === undefined ? {} : { user: own }) }
        const projected = { sources: [{ serviceAccountToken: token }], defaultUser }
        await mount(contextOf(dir, { projected }, objects, pod))
        assert.equal(statSync(join(path, "token")).uid, want)
      }
    }))

  it("show what the pod trusts, and its own certificate for it alone", () =>
    inFolder(async (dir) => {
      const certificate = { key: "key\n", chain: "chain" }
      const podCertificate = { signerName: "e.com/s", keyType: "ED25519" }
      const sources = [
        { clusterTrustBundle: { name: "b", optional: true, path: "trusted" } },
        {
          podCertificate: {
            ...podCertificate,
            ...{ credentialBundlePath: "both", keyPath: "key", certificateChainPath: "chain" },
          },
        },
        { podCertificate: { ...podCertificate, credentialBundlePath: "another" } },
      ]
      const volume = { projected: { sources, defaultMode: 0o444 } }
      const path = await mount(contextOf(dir, volume, { certificate }))
      const texts = ["trusted", "both", "key", "chain", "another"].map((name) =>
        readFileSync(join(path, name), "utf8"),
      )
      assert.deepEqual(texts, [
        "anchors of b",
        "key\nchain of v 1",
        "key\n",
        "chain of v 1",
        "key\nchain of v 2",
      ])
      assert.equal(mode(join(path, "key")), "444")
      if (!isRoot) return
      const pod = podWith({ securityContext: { runAsUser: 1234 } })
      const own = await mount(contextOf(join(dir, "own"), volume, { certificate }, pod))
      for (const name of ["trusted", "both", "key", "chain"])
        assert.deepEqual([statSync(join(own, name)).uid, mode(join(own, name))], [1234, "600"])
    }))

  it("tell the pod about itself", () =>
    inFolder(async (dir) => {
      const containers = [
        { name: "app", image: "i", resources: { limits: { cpu: "1500m" }, requests: { memory: "65Mi" } } },
      ]
      const pod = podWith(
        { containers },
        { labels: { b: 'say "hi"', a: "1" }, annotations: { note: "x\ny" } },
      )
      const field = (path: string, fieldPath: string): object => ({ path, fieldRef: { fieldPath } })
      const resource = (path: string, name: string, divisor?: string): object => ({
        path,
        resourceFieldRef: { containerName: "app", resource: name, ...(divisor ? { divisor } : {}) },
      })
      const items = [
        field("labels", "metadata.labels"),
        field("one", "metadata.annotations['note']"),
        field("uid", "metadata.uid"),
        resource("cpu", "limits.cpu"),
        resource("millis", "limits.cpu", "1m"),
        resource("mem", "requests.memory", "1Mi"),
        resource("limit", "limits.memory", "1Mi"),
        resource("none", "requests.cpu"),
      ]
      const path = await mount(contextOf(dir, { downwardAPI: { items: items as never } }, {}, pod))
      const read = (name: string): string => readFileSync(join(path, name), "utf8")
      assert.equal(read("labels"), 'a="1"\nb="say \\"hi\\""')
      assert.equal(read("one"), "x\ny")
      assert.equal(read("uid"), "u-1")
      assert.deepEqual(["cpu", "millis", "mem", "limit", "none"].map(read), ["2", "1500", "65", "1024", "0"])
    }))

  it("belong to the pod's group", { skip: !isRoot }, () =>
    inFolder(async (dir) => {
      const pod = podWith({ securityContext: { fsGroup: 4321 } })
      const secrets = { s: { data: { k: base64("v") } } }
      const path = await mount(
        contextOf(dir, { secret: { secretName: "s", defaultMode: 0o400 } }, { secrets }, pod),
      )
      assert.equal(statSync(join(path, "k")).gid, 4321)
      assert.equal(mode(join(path, "k")), "440")
      assert.equal(mode(join(path, readlinkSync(join(path, "..data")))), "2755")
      assert.equal(lstatSync(join(path, "k")).gid, 4321)
    }),
  )

  it("refuse paths that lead outside", () =>
    inFolder(async (dir) => {
      for (const path of ["../x", "a/../../x", "/x", "..x"]) {
        const volume = { configMap: { name: "cm", items: [{ key: "a", path }] } }
        await assert.rejects(
          mount(contextOf(dir, volume, { configMaps: { cm: { data: { a: "1" } } } })),
          /invalid path/,
        )
      }
    }))
})

describe("emptyDir", () => {
  it("is a folder that everyone may write to, and keeps its files", () =>
    inFolder(async (dir) => {
      const context = contextOf(dir, { emptyDir: {} })
      const path = await mount(context)
      assert.equal(mode(path), "777")
      writeFileSync(join(path, "f"), "kept")
      await mount(context)
      assert.equal(readFileSync(join(path, "f"), "utf8"), "kept")
      await assert.rejects(mount(contextOf(dir, { emptyDir: { medium: "Tape" } })), {
        message: 'unknown storage medium "Tape"',
      })
    }))

  it("in memory is as large as its limit, the containers' or the node's", () => {
    const limited = (memory: string): Pod =>
      podWith({ containers: [{ name: "a", image: "i", resources: { limits: { memory } } }] })
    assert.equal(tmpfsSize(podWith(), undefined, "1Gi"), 2 ** 30)
    assert.equal(tmpfsSize(podWith(), "10Mi", "1Gi"), 10 * 2 ** 20)
    assert.equal(tmpfsSize(limited("5Mi"), "10Mi", "1Gi"), 5 * 2 ** 20)
  })

  it("in memory is a tmpfs, and goes without deleting through mounts", { skip: !isRoot }, () =>
    inFolder(async (dir) => {
      const real = createLinuxVolumeHost({ clock: systemClock })
      const context = { ...contextOf(dir, { emptyDir: { medium: "Memory", sizeLimit: "8Mi" } }), host: real }
      const path = await mount(context)
      try {
        const line = readFileSync("/proc/self/mountinfo", "utf8")
          .split("\n")
          .find((text) => text.includes(` ${path} `))
        assert.match(line!, / - tmpfs tmpfs .*size=8192k/)
        assert.equal(mode(path), "1777")
        await mount(context)
        const count = readFileSync("/proc/self/mountinfo", "utf8").split(` ${path} `).length - 1
        assert.equal(count, 1, "mounting twice mounts once")
        const larger = podVolume({ name: "v", emptyDir: { medium: "Memory", sizeLimit: "16Mi" } })
        await mount({ ...context, spec: larger })
        assert.equal(
          statfsSync(path).blocks * statfsSync(path).bsize,
          16 * 2 ** 20,
          "it is as large as now said",
        )
      } finally {
        await real.removeTree(dir, signal)
      }
      assert.equal(existsSync(path), false)
    }),
  )

  it("of huge pages has the size that the pod asks for", () => {
    const asking = (...names: string[]): Pod =>
      podWith({
        containers: [
          {
            name: "a",
            image: "i",
            resources: { requests: Object.fromEntries(names.map((name) => [name, "4Mi"])) },
          },
        ],
      })
    assert.equal(hugePageSize(asking("hugepages-2Mi"), "HugePages"), 2 ** 21)
    assert.equal(hugePageSize(asking("hugepages-2Mi", "hugepages-1Gi"), "HugePages-1Gi"), 2 ** 30)
    const cases: readonly (readonly [Pod, string, string])[] = [
      [
        asking("hugepages-2Mi", "hugepages-1Gi"),
        "HugePages",
        "medium: HugePages can't be used if container requests multiple huge page sizes",
      ],
      [
        asking("hugepages-2Mi"),
        "HugePages-1Gi",
        "medium HugePages-1Gi: hugePages storage requested, but there is no resource request for huge pages",
      ],
      [
        asking(),
        "HugePages",
        "medium HugePages: hugePages storage requested, but there is no resource request for huge pages",
      ],
    ]
    for (const [pod, medium, message] of cases) assert.throws(() => hugePageSize(pod, medium), { message })
  })

  it("that was never finished is finished, and one that was is the pod's own", { skip: !isRoot }, () =>
    inFolder(async (dir) => {
      const pod = podWith({ securityContext: { fsGroup: 77 } })
      const context = contextOf(dir, { emptyDir: {} }, {}, pod)
      mkdirSync(context.dir)
      await mount(context)
      assert.equal(statSync(context.dir).gid, 77, "a folder that a crash left is given to the group")
      chownSync(context.dir, 0, 88)
      await mount(context)
      assert.equal(statSync(context.dir).gid, 88)
    }),
  )

  it("gives everything in it to the pod's group", { skip: !isRoot }, () =>
    inFolder(async (dir) => {
      const pod = podWith({ securityContext: { fsGroup: 77 } })
      const path = await mount(contextOf(dir, { emptyDir: {} }, {}, pod))
      assert.equal(statSync(path).gid, 77)
      assert.equal(mode(path), "2777")
    }),
  )
})

describe("what is there already", () => {
  const data = { configMaps: { cm: { data: { a: "1" } } }, secrets: { s: { data: { a: base64("1") } } } }
  const cases: readonly (readonly [string, Omit<Volume, "name">, (path: string) => void])[] = [
    ["a file at the place of a folder", { configMap: { name: "cm" } }, (path) => writeFileSync(path, "")],
    ["a link at the place of a folder", { configMap: { name: "cm" } }, (path) => symlinkSync("/etc", path)],
    [
      "a link that leads elsewhere than to the data",
      { configMap: { name: "cm" } },
      (path) => {
        mkdirSync(path)
        symlinkSync("/etc/passwd", join(path, "a"))
      },
    ],
    [
      "a file at the place of a link",
      { secret: { secretName: "s" } },
      (path) => {
        mkdirSync(path)
        writeFileSync(join(path, "a"), "old")
      },
    ],
    [
      "a folder at the place of a link",
      { secret: { secretName: "s" } },
      (path) => mkdirSync(join(path, "a", "b"), { recursive: true }),
    ],
    [
      "files that the object does not have",
      { configMap: { name: "cm" } },
      (path) => mkdirSync(join(path, "z", "b"), { recursive: true }),
    ],
  ]
  for (const [name, volume, prepare] of cases)
    it(`is not taken for right: ${name}`, () =>
      inFolder(async (dir) => {
        const context = contextOf(dir, volume, data)
        prepare(context.dir)
        const path = await mount(context)
        assert.equal(lstatSync(path).isDirectory(), true)
        assert.equal(readlinkSync(join(path, "a")), "..data/a")
        assert.equal(readFileSync(join(path, "a"), "utf8"), "1")
        assert.equal(existsSync(join(path, "z")), false)
      }))

  it("is not taken for right: a link of a volume in memory", { skip: !isRoot }, () =>
    inFolder(async (rootDir) => {
      const real = createLinuxVolumeHost({ clock: systemClock, rootDir })
      const dir = join(rootDir, "pods/u-1/volumes/kubernetes.io~secret/v")
      try {
        mkdirSync(dirname(dir), { recursive: true })
        symlinkSync("/etc", dir)
        const path = await mount({
          ...contextOf(rootDir, { secret: { secretName: "s" } }, data),
          dir,
          host: real,
        })
        assert.equal(readlinkSync(dir), path)
        assert.equal(path, join(rootDir, "memory/pods/u-1/volumes/kubernetes.io~secret/v"))
        assert.equal(mode(path), "1777")
      } finally {
        await real.removeTree(join(rootDir, "pods"), signal)
        await real.removeTree(join(rootDir, "memory"), signal)
      }
    }),
  )
})

describe("the kubelet's folder", () => {
  it("passes mounts on, is mounted once, and goes without a trace", { skip: !isRoot }, () =>
    inFolder(async (dir) => {
      const real = createLinuxVolumeHost({ clock: systemClock })
      const root = join(dir, "kubelet")
      const lines = (): string[] =>
        readFileSync("/proc/self/mountinfo", "utf8")
          .split("\n")
          .filter((line) => line.includes(` ${root} `))
      try {
        await real.shareMounts(root, signal)
        await real.shareMounts(root, signal)
        // On a machine whose root is shared there is nothing to do.
        if (lines().length > 0) assert.match(lines().join(), / shared:\d+ /)
        assert.ok(lines().length <= 1)
      } finally {
        await real.removeTree(root, signal)
      }
      assert.deepEqual(lines(), [])
      assert.equal(existsSync(root), false)
    }),
  )

  it("is left alone while volumes are mounted in it", { skip: !isRoot }, () =>
    inFolder(async (dir) => {
      const real = createLinuxVolumeHost({ clock: systemClock })
      const root = join(dir, "kubelet")
      try {
        await real.mountTmpfs(join(root, "memory"), { sizeBytes: undefined, mode: 0o750 }, signal)
        writeFileSync(join(root, "memory", "f"), "seen")
        await real.shareMounts(root, signal)
        assert.equal(readFileSync(join(root, "memory", "f"), "utf8"), "seen")
      } finally {
        await real.removeTree(root, signal)
      }
    }),
  )
})

describe("image volumes", () => {
  it("are mounted by paths from the folder of all layers, which a page of options can hold", () => {
    const layers = Array.from({ length: 100 }, (_, i) => `/a/long/way/to/snapshots/${i}/fs`)
    const options = ["index=off", `lowerdir=${layers.join(":")}`]
    const { args, cwd } = snapshotMountArguments({ type: "overlay", source: "overlay", options }, "/mnt")
    const short = layers.map((_, i) => `${i}/fs`).join(":")
    assert.deepEqual(args, ["-t", "overlay", "-o", `index=off,lowerdir=${short},ro`, "overlay", "/mnt"])
    assert.equal(cwd, "/a/long/way/to/snapshots")
    const apart = { type: "overlay", source: "overlay", options: ["lowerdir=/a/1:/b/2"] }
    assert.deepEqual(snapshotMountArguments(apart, "/mnt").args[3], "lowerdir=/a/1:/b/2,ro")
    assert.deepEqual(snapshotMountArguments({ type: "bind", source: "/a/1", options: ["rbind"] }, "/mnt"), {
      args: ["--bind", "-o", "ro", "/a/1", "/mnt"],
      cwd: "/",
    })
  })

  it("are made once, read-only, and let go of with what the runtime keeps for them", { skip: !isRoot }, () =>
    inFolder(async (dir) => {
      const kept = new Set<string>()
      const layer = (name: string): string => join(dir, name)
      for (const name of ["1", "2"]) {
        mkdirSync(layer(name))
        writeFileSync(join(layer(name), name), name)
      }
      const mounts: Record<string, SnapshotMount> = {
        "sha256:one": { type: "bind", source: layer("1"), options: ["rbind", "ro"] },
        "sha256:two": {
          type: "overlay",
          source: "overlay",
          options: [`lowerdir=${layer("2")}:${layer("1")}`],
        },
      }
      const real = createLinuxVolumeHost({
        clock: systemClock,
        images: {
          async view(imageId, key) {
            kept.add(key)
            return [mounts[imageId]!]
          },
          async remove(key) {
            kept.delete(key)
          },
        },
      })
      const plugin = pluginFor(podVolume({ name: "files", image: { reference: "r" } }))
      const at = join(dir, "volumes")
      try {
        const context = { ...contextOf(at, { image: { reference: "r" } }), dir: at, host: real }
        assert.deepEqual(await plugin.publish(context), { hostPath: at, readOnly: true })
        for (const [id, files] of [
          ["sha256:one", ["1"]],
          ["sha256:two", ["1", "2"]],
        ] as const) {
          const target = join(at, id)
          assert.equal(await real.mountImage(target, id, signal), true)
          assert.equal(await real.mountImage(target, id, signal), false)
          assert.deepEqual(readdirSync(target).sort(), files)
          assert.throws(() => writeFileSync(join(target, "1"), "z"), { code: "EROFS" })
        }
        assert.equal(kept.size, 2)
        const data = {}
        await plugin.unpublish!({
          ...{ podUid: "u-1", name: "files", dir: at, deviceDir: undefined, data, host: real, signal },
        })
        assert.deepEqual([...kept], [])
        assert.deepEqual(readdirSync(join(at, "sha256:two")), [])
      } finally {
        await real.removeTree(dir, signal)
      }
    }),
  )

  it("say so where there is no runtime to have them from", () =>
    inFolder(async (dir) => {
      const plain = createLinuxVolumeHost({ clock: systemClock })
      await assert.rejects(plain.mountImage(dir, "sha256:one", signal), {
        message: "this node's runtime has no image volumes",
      })
    }))
})

describe("mounts", { skip: !isRoot }, () => {
  it("are made once, of file systems, folders and files, and go without what they show", () =>
    inFolder(async (dir) => {
      const real = createLinuxVolumeHost({ clock: systemClock })
      const at = (name: string): string => join(dir, name)
      const mounted = (path: string): boolean =>
        readFileSync("/proc/self/mountinfo", "utf8").includes(` ${path} `)
      try {
        const tmpfs = { source: "tmpfs", fsType: "tmpfs", flags: ["size=64k"] }
        assert.deepEqual(
          [await real.mount(at("disk"), tmpfs, signal), await real.mount(at("disk"), tmpfs, signal)],
          [true, false],
        )
        const { capacityBytes, availableBytes, usedBytes } = await real.usage(at("disk"))
        assert.deepEqual([capacityBytes, availableBytes, usedBytes], [65_536, 65_536, 0])
        writeFileSync(at("disk/file"), "x")
        const bind = (source: string, target: string, readOnly: boolean): Promise<boolean> =>
          real.bindMount(at(source), at(target), { readOnly }, signal)
        assert.equal(await bind("disk", "pods/one", false), true)
        assert.equal(await bind("disk", "pods/one", false), false)
        assert.equal(await bind("disk", "pods/two", true), true)
        assert.equal(await bind("disk/file", "pods/three", false), true)
        writeFileSync(at("pods/one/file"), "y")
        assert.equal(readFileSync(at("pods/three"), "utf8"), "y")
        assert.throws(() => writeFileSync(at("pods/two/file"), "z"), { code: "EROFS" })
        for (const name of ["pods/one", "pods/two", "pods/three", "pods/three"]) {
          await real.unmount(at(name), signal)
          assert.equal(mounted(at(name)), false)
        }
        assert.equal(readFileSync(at("disk/file"), "utf8"), "y")
      } finally {
        await real.removeTree(dir, signal)
      }
    }))
})

describe("hostPath", () => {
  it("checks and makes what its type says", () =>
    inFolder(async (dir) => {
      const file = join(dir, "file")
      writeFileSync(file, "")
      symlinkSync(file, join(dir, "link"))
      const at = (path: string, type?: string): Promise<string> =>
        mount(contextOf(dir, { hostPath: { path, ...(type === undefined ? {} : { type }) } }))
      assert.equal(await at(join(dir, "not there")), join(dir, "not there"))
      assert.equal(await at(join(dir, "new"), "DirectoryOrCreate"), join(dir, "new"))
      assert.equal(mode(join(dir, "new")), "755")
      await at(join(dir, "new-file"), "FileOrCreate")
      assert.equal(mode(join(dir, "new-file")), "644")
      await at(join(dir, "link"), "File")
      await at("/dev/null", "CharDevice")
      const fails: readonly (readonly [string, string, string])[] = [
        [file, "Directory", "a directory"],
        [file, "DirectoryOrCreate", "a directory"],
        [dir, "File", "a file"],
        [file, "Socket", "a socket file"],
        [file, "CharDevice", "a character device"],
        [file, "BlockDevice", "a block device"],
        [join(dir, "missing"), "Directory", "a directory"],
      ]
      for (const [path, type, what] of fails)
        await assert.rejects(at(path, type), {
          message: `hostPath type check failed: ${path} is not ${what}`,
        })
      await assert.rejects(at("/a/../b"), { message: "invalid HostPath `/a/../b`: must not contain '..'" })
    }))
})

describe("fsUserOf", () => {
  it("is the one user of all containers", () => {
    const one = { name: "a", image: "i", securityContext: { runAsUser: 5 } }
    const other = { name: "b", image: "i" }
    assert.equal(fsUserOf(podWith({ containers: [one] })), 5)
    assert.equal(fsUserOf(podWith({ containers: [one, other] })), undefined)
    assert.equal(fsUserOf(podWith({ containers: [one, other], securityContext: { runAsUser: 5 } })), 5)
    assert.equal(
      fsUserOf(podWith({ containers: [one, other], securityContext: { runAsUser: 6 } })),
      undefined,
    )
  })
})
