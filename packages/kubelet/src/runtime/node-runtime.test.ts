import assert from "node:assert/strict"
import { test } from "node:test"
import { socketOfEndpoint } from "./node-runtime.ts"

test("an endpoint of a container runtime is the path of a socket, or refused", () => {
  const cases: [string, string | undefined][] = [
    ["unix:///run/containerd/containerd.sock", "/run/containerd/containerd.sock"],
    ["/run/crio/crio.sock", "/run/crio/crio.sock"],
    ["unix://run/crio.sock", undefined],
    ["tcp://127.0.0.1:3735", undefined],
    ["npipe:////./pipe/containerd", undefined],
    ["", undefined],
  ]
  for (const [endpoint, socket] of cases)
    if (socket === undefined) assert.throws(() => socketOfEndpoint(endpoint), RangeError, endpoint)
    else assert.equal(socketOfEndpoint(endpoint), socket)
})
