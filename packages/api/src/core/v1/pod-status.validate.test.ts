import assert from "node:assert/strict"
import { test } from "node:test"
import { fieldErrorMessage } from "@knarr/apimachinery"
import { validateStatusFields } from "./pod-status.validate.ts"
import type { Pod } from "./types.gen.ts"

const spec = {
  resourceClaims: [{ name: "c" }],
  containers: [{ name: "a", resources: { requests: { "a.b/c": "1" } } }],
} as unknown as Pod["spec"]
const address = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
const mapping = { containerName: "a", resourceName: "a.b/c", requestName: "r" }

for (const [status, problems] of [
  [{}, []],
  [{ podIP: "10.0.0.1", podIPs: [{ ip: "10.0.0.1" }, { ip: "fd00::1" }] }, []],
  [
    { podIPs: [{}] },
    [
      `status.podIPs[0]: Invalid value: "": ${address}`,
      'status.podIPs: Invalid value: [{"IP":""}]: podIP and podIPs must either both be set or both be unset',
    ],
  ],
  [
    { podIP: "10.0.0.2", podIPs: [{ ip: "10.0.0.1" }] },
    ['status.podIPs[0].ip: Invalid value: "10.0.0.1": must be equal to `podIP`'],
  ],
  [
    { podIP: "10.0.0.1", podIPs: [{ ip: "10.0.0.1" }, { ip: "10.0.0.2" }] },
    [
      'status.podIPs: Invalid value: [{"IP":"10.0.0.1"},{"IP":"10.0.0.2"}]: may specify no more than one IP for each IP family',
    ],
  ],
  [{ hostIPs: [{}] }, [`status.hostIPs[0]: Invalid value: "": ${address}`]],
  [
    { hostIP: "10.0.0.1", hostIPs: [{ ip: "10.0.0.2" }] },
    ['status.hostIPs[0].ip: Invalid value: "10.0.0.2": must be equal to `hostIP`'],
  ],
  [{ resourceClaimStatuses: [{ name: "c", resourceClaimName: "x" }] }, []],
  [
    { resourceClaimStatuses: [{}] },
    [
      'status.resourceClaimStatuses[0].name: Invalid value: "": must match the name of an entry in `spec.resourceClaims`',
    ],
  ],
  [
    { resourceClaimStatuses: [{ name: "c" }, { name: "c" }] },
    ['status.resourceClaimStatuses[1].name: Duplicate value: "c"'],
  ],
  [
    { extendedResourceClaimStatus: {} },
    [
      "status.extendedResourceClaimStatus.requestMappings: Required value: at least one request mapping is required",
      "status.extendedResourceClaimStatus.resourceClaimName: Required value",
    ],
  ],
  [{ extendedResourceClaimStatus: { resourceClaimName: "x", requestMappings: [mapping] } }, []],
  [
    {
      extendedResourceClaimStatus: {
        resourceClaimName: "x",
        requestMappings: [{ ...mapping, containerName: "b" }],
      },
    },
    [
      'status.extendedResourceClaimStatus.requestMappings[0].containerName: Invalid value: "b": must match the name of an entry in spec.initContainers.name or spec.containers.name',
    ],
  ],
] as const) {
  test(`what is wrong with a pod's status ${JSON.stringify(status)}`, () => {
    assert.deepEqual(
      validateStatusFields({ spec, status } as unknown as Pod).map(fieldErrorMessage),
      problems,
    )
  })
}
