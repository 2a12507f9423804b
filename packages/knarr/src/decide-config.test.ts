/** What `up` decides, on a real kernel: in a network namespace and a /run of the test's own, where the file runs itself again. */
import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { ipv4Network } from "@knarr/apimachinery"
import { systemClock } from "@knarr/base"
import { ClusterHome, defaultRanges, type ClusterRanges } from "./cluster-home.ts"
import { ClusterNumbers } from "./cluster-numbers.ts"
import { decideConfig, type Decision, type Wish } from "./decide-config.ts"

const inside = process.env["KNARR_TEST_NETNS"] === "1"
const able =
  process.getuid?.() === 0 &&
  ["nft", "unshare", "flock"].every((name) => spawnSync(name, ["--version"]).status === 0)

if (inside) testOnRealKernel()
else
  test(
    "What up decides on a real kernel",
    { skip: able ? false : "needs root, nft and unshare", timeout: 120_000 },
    () => {
      // The reporter of the outer run must not speak for the inner one.
      const { NODE_TEST_CONTEXT: _, ...rest } = process.env
      const script = `mount -t sysfs none /sys && mount -t tmpfs none /run && ip link set lo up && exec "$@"`
      const self = [process.execPath, "--test-reporter=tap", import.meta.filename]
      const result = spawnSync("unshare", ["--net", "--mount", "bash", "-ec", script, "bash", ...self], {
        encoding: "utf8",
        env: { ...rest, KNARR_TEST_NETNS: "1" },
      })
      assert.equal(result.status, 0, `${result.stdout}\n${result.stderr}`)
      assert.match(result.stdout, /\n# pass [3-9]\n/)
    },
  )

const wish: Wish = { ranges: {}, port: undefined, agents: 0, hasNode: true }
const signal = AbortSignal.timeout(60_000)

class Home implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), "knarr-decide-"))
  readonly printed: string[] = []
  readonly numbers = new ClusterNumbers(join(this.dir, "run"))

  decide(name: string, more: Partial<Wish> = {}, home = "home"): Promise<Decision> {
    const cluster = new ClusterHome(join(this.dir, home), name)
    const ctx = { clock: systemClock, signal, print: (text: string) => void this.printed.push(text) }
    return decideConfig(cluster, { ...wish, ...more }, ctx, this.numbers)
  }

  /** As `up` does: decides and writes down. */
  async up(name: string, more: Partial<Wish> = {}, home = "home"): Promise<Decision["config"]> {
    const { config, lock } = await this.decide(name, more, home)
    using _lock = lock
    new ClusterHome(join(this.dir, home), name).write(config)
    return config
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true, force: true })
  }
}

function sh(script: string): string {
  const { status, stdout, stderr } = spawnSync("bash", ["-ec", script], { encoding: "utf8" })
  assert.equal(status, 0, stderr)
  return stdout
}

function testOnRealKernel(): void {
  test("A number is taken whose ranges nothing on the machine uses", async () => {
    const link = "ip link add x type veth peer name y; ip link set x up; ip link set y up"
    const kubeProxy =
      "add table ip kube-proxy; add chain ip kube-proxy c { type filter hook output priority 0; }"
    const cases: [setting: string, index: number, podCIDR: string][] = [
      ["true", 0, "10.244.0.0/16"],
      [`${link}; ip address add 10.244.7.1/24 dev x`, 1, "10.243.0.0/16"],
      [`${link}; ip route add 10.96.5.0/24 dev x`, 1, "10.243.0.0/16"],
      ["ip route add blackhole 10.89.0.128/25", 1, "10.243.0.0/16"],
      [`${link}; ip route add 10.244.0.0/16 dev x table 77`, 1, "10.243.0.0/16"],
      ["ip rule add from 10.89.0.0/24 lookup 100", 1, "10.243.0.0/16"],
      ["ip rule add to 10.97.0.0/16 lookup 100; ip rule add to 10.96.0.0/16 lookup 100", 2, "10.242.0.0/16"],
      [`nft '${kubeProxy}; add rule ip kube-proxy c ip daddr 10.96.0.0/16 drop'`, 1, "10.243.0.0/16"],
      [
        "nft 'add table inet t; add set inet t s { type ipv4_addr; elements = { 10.96.0.1 } }'",
        1,
        "10.243.0.0/16",
      ],
      [
        `${link}; ip route add 0.0.0.0/1 dev x; ip route add 128.0.0.0/1 dev x; ip route add default dev x`,
        0,
        "10.244.0.0/16",
      ],
      [`${link}; ip route add 10.0.0.0/8 dev x`, 0, "172.16.0.0/17"],
      [
        `nft 'add table ip f; add chain ip f c; add rule ip f c ip saddr 10.0.0.0/8 accept'`,
        0,
        "10.244.0.0/16",
      ],
    ]
    for (const [setting, index, podCIDR] of cases) {
      using home = new Home()
      sh(setting)
      const { config, lock } = await home.decide("c")
      lock[Symbol.dispose]()
      assert.deepEqual([config.index, config.podCIDR], [index, podCIDR], setting)
      sh(
        "nft flush ruleset; ip link delete x 2>/dev/null ||:; ip route flush table all type blackhole; ip rule flush; ip rule add lookup main pref 32766; ip rule add lookup default pref 32767",
      )
    }
  })

  test("Clusters that are started at once get numbers, ranges and ports of their own", async () => {
    using home = new Home()
    const configs = await Promise.all(
      Array.from({ length: 6 }, (_, i) => home.up(`c${i % 3}`, {}, `home${Math.floor(i / 3)}`)),
    )
    const different = (values: readonly unknown[]): void => assert.equal(new Set(values).size, values.length)
    different(configs.map(({ index }) => index))
    different(configs.map(({ podCIDR }) => podCIDR))
    different(configs.flatMap(({ port, registryPort }) => [port, registryPort]))
    // They keep them, down or not, and given ranges are held against theirs.
    assert.deepEqual(await home.up("c1", {}, "home1"), configs[4])
    const ranges = { podCIDR: ipv4Network("10.240.0.0/13") }
    await assert.rejects(home.up("d", { ranges }), /overlaps the pods' 10\.24\d\.0\.0\/16 of the cluster/)
    await assert.rejects(home.up("c1", { ranges }, "home1"), /--cluster-cidr cannot change it/)
  })

  test("A control plane alone takes free ports, one after another", async () => {
    using home = new Home()
    const first = await home.decide("a", { hasNode: false })
    let second: Decision["config"] | undefined
    const later = home.up("b", { hasNode: false }).then((config) => (second = config))
    // The first is written down only now: until then nobody else decides.
    new ClusterHome(join(home.dir, "home"), "a").write(first.config)
    assert.equal(second, undefined)
    first.lock[Symbol.dispose]()
    await later
    assert.notEqual(second!.port, first.config.port)
    assert.notEqual(second!.registryPort, first.config.registryPort)
  })

  test("What clusters that are gone left is swept, and nothing else", async () => {
    using home = new Home()
    const links = (): string[] => readdirSync("/sys/class/net").filter((name) => name.startsWith("kn"))
    const remains = ({ index, podCIDR, serviceCIDR, nodeCIDR }: ClusterRanges & { index: number }): void => {
      const [node, pods] = [nodeCIDR, podCIDR].map((cidr) => cidr.replace(/\.0\/\d+$/, ""))
      mkdirSync("/run/netns", { recursive: true })
      sh(`ip link add knarr-${index} type bridge; ip address add ${node}.1/24 dev knarr-${index}; ip link set knarr-${index} up
        ip netns add knarr-${index}-1; ip link add kn-${index}-1 type veth peer name eth0 netns knarr-${index}-1
        ip route add ${pods}.0/24 via ${node}.2 proto 89; ip route add ${serviceCIDR} dev knarr-${index}
        ip address add ${serviceCIDR.replace(/0\/\d+$/, "10")}/32 dev lo label lo:knarr-${index}
        nft 'add table ip knarr-${index}-services; add table ip knarr-${index}-net; add table ip knarr-${index}-net-nodes'`)
    }
    const dead = await home.up("dead")
    const alive = await home.up("alive")
    remains(dead)
    remains(alive)
    // Nobody's claim, and another program's things.
    remains({ index: 2, ...defaultRanges(2) })
    sh("ip link add knarrx type bridge; nft 'add table ip other; add table ip knarr'; ip netns add other")
    const mounted = join(home.dir, "home", "dead", "nodes", "volume")
    mkdirSync(mounted, { recursive: true })
    sh(`mount -t tmpfs none ${mounted}`)
    // All but the mount goes.
    sh(`rm -rf ${join(home.dir, "home", "dead")} || :`)
    const next = await home.up("next")
    assert.equal(next.index, 0)
    assert.ok(!sh("cat /proc/self/mountinfo").includes(mounted))
    assert.deepEqual(links().sort(), ["kn-1-1", "kn-2-1", "knarr-1", "knarr-2", "knarrx"])
    const third = await home.up("third")
    assert.equal(third.index, 2)
    assert.deepEqual(links().sort(), ["kn-1-1", "knarr-1", "knarrx"])
    assert.deepEqual(readdirSync("/run/netns").sort(), ["knarr-1-1", "other"])
    assert.deepEqual(
      sh("nft list tables")
        .match(/(?<=table ip )\S+/g)!
        .sort(),
      ["knarr", "knarr-1-net", "knarr-1-net-nodes", "knarr-1-services", "other"],
    )
    assert.doesNotMatch(sh("ip -br address show lo; ip route"), /10\.(?:244|242|96|98)\./)
    assert.match(sh("ip -br address show lo; ip route"), /10\.97\.0\.10/)
    assert.ok(existsSync(join(home.dir, "home", "alive", "cluster.json")))
    // A cluster without a folder that still has processes is not gone.
    rmSync(join(home.dir, "home", "alive"), { recursive: true })
    const file = join(home.dir, "home", "alive", "x")
    const pid = sh(`(exec -a ${file} sleep 60) >/dev/null 2>&1 & echo $!`).trim()
    try {
      await assert.rejects(
        home.up("alive"),
        new RegExp(`its processes run still \\(${pid}\\): end them first`),
      )
      assert.ok(links().includes("knarr-1"))
    } finally {
      process.kill(Number(pid))
    }
  })
}
