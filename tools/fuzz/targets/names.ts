/** Names of images, addresses, networks and words for the host: what is taken has one canonical text, and no other characters. */
import { isIP } from "node:net"
import {
  formatCIDR,
  formatImageName,
  formatIP,
  isValidIP,
  ipFamily,
  networkAddress,
  networkContains,
  normalizeImageName,
  parseCIDR,
  parseImageName,
  parseIP,
  readAddress,
  readHostName,
  readIPv4Network,
} from "@knarr/apimachinery"
import { answerOf, defineTarget, expect } from "../target.ts"

const seeds = [
  ...[
    "10.96.0.1",
    "010.1.2.3",
    "1.2.3",
    "2130706433",
    "::1",
    "fe80::1%eth0",
    "::ffff:1.2.3.4",
    "2001:db8::1:0:0:1",
  ],
  ...["10.0.0.0/8", "0.0.0.0/0", "::/0", "fd00::/64", "1.2.3.4/33", "1.2.3.4/08"],
  ...[
    "nginx",
    "nginx:1.25",
    "docker.io/library/nginx",
    "localhost:5000/a/b:t",
    "a.b/c@sha256:" + "0".repeat(64),
    "A:latest",
  ],
  ...["web.default.svc", "-x", "a..b", "xn--a", "a_b", "a.b.", "*.a.b"],
]

export const names = defineTarget<{ text: string }>({
  name: "names",
  quick: 1500,
  open: () => ({
    generate: (draw) => ({ text: draw.chance(0.8) ? draw.mutate(draw.pick(seeds), seeds) : draw.text() }),
    check({ text }) {
      const ip = parseIP(text)
      if (ip) {
        const canonical = formatIP(ip)
        expect(isIP(canonical) !== 0, "an address is printed that is none", text, canonical)
        const again = parseIP(canonical)
        expect(
          again && formatIP(again) === canonical && ipFamily(again) === ipFamily(ip),
          "an address is not stable",
          text,
        )
        expect(ip.leadingZeros || text.includes("%") || isIP(text) !== 0, "what is no address is taken", text)
      } else expect(isIP(text) === 0 || text.includes("%"), "an address is refused", text)
      isValidIP(text)
      const network = parseCIDR(text)
      if (network) {
        const canonical = formatCIDR(network)
        const again = parseCIDR(canonical)
        expect(again && formatCIDR(again) === canonical, "a network is not stable", text, canonical)
        expect(networkContains(network, networkAddress(network)), "a network lacks its first address", text)
      }
      for (const [word, shape] of [
        [readAddress(text), /^[0-9a-f.:]+$/],
        [readIPv4Network(text), /^[0-9.]+\/\d+$/],
        [readHostName(text), /^[a-z0-9.-]+$/],
      ] as const)
        expect(word === undefined || shape.test(word), "a word for the host has other characters", text, word)
      const image = answerOf(() => parseImageName(text))
      if (!image) return
      const printed = formatImageName(image)
      expect(
        formatImageName(parseImageName(printed)) === printed,
        "the name of an image is not stable",
        text,
        printed,
      )
      const full = normalizeImageName(text)
      expect(normalizeImageName(full) === full, "the full name of an image is not stable", text, full)
    },
  }),
})
