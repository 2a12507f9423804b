import assert from "node:assert/strict"
import { test } from "node:test"
import "../../api/src/schemas.gen.ts"
import { decodeObject, decodeProtobuf, openProtobufEnvelope, schemaOf } from "./index.ts"

/** Writes messages by hand: `[number, value]`, a number as varint, text and nested fields as bytes. */
type Part = readonly [number, number | string | readonly Part[]]
function message(parts: readonly Part[]): Buffer {
  const varint = (value: number): Buffer => {
    const out: number[] = []
    let big = BigInt.asUintN(64, BigInt(value))
    do {
      const low = Number(big & 0x7fn)
      big >>= 7n
      out.push(big > 0n ? low | 0x80 : low)
    } while (big > 0n)
    return Buffer.from(out)
  }
  return Buffer.concat(
    parts.flatMap(([number, value]) => {
      if (typeof value === "number") return [varint(number * 8), varint(value)]
      const bytes = typeof value === "string" ? Buffer.from(value) : message(value)
      return [varint(number * 8 + 2), varint(bytes.length), bytes]
    }),
  )
}

const pod = message([
  [
    1,
    [
      [1, "web"],
      [2, ""],
      [3, "default"],
      [7, 0],
      [8, []],
      [
        11,
        [
          [1, "app"],
          [2, "web"],
        ],
      ],
    ],
  ],
  [
    2,
    [
      [
        1,
        [
          [1, "config"],
          [
            2,
            [
              [
                19,
                [
                  [1, [[1, "settings"]]],
                  [4, 1],
                ],
              ],
            ],
          ],
        ],
      ],
      [
        2,
        [
          [1, "c"],
          [2, "busybox"],
          [
            8,
            [
              [
                2,
                [
                  [1, "cpu"],
                  [2, [[1, "100m"]]],
                ],
              ],
            ],
          ],
          [
            6,
            [
              [1, ""],
              [2, 0],
              [3, 80],
              [4, "TCP"],
            ],
          ],
          [
            10,
            [
              [
                1,
                [
                  [
                    2,
                    [
                      [
                        2,
                        [
                          [1, 1],
                          [3, "http"],
                        ],
                      ],
                    ],
                  ],
                ],
              ],
              [2, 0],
            ],
          ],
        ],
      ],
      [4, 0],
      [11, 0],
      [24, "host"],
    ],
  ],
])

test("decodeProtobuf gives what the JSON form would", () => {
  const schema = schemaOf("io.k8s.api.core.v1.Pod")
  const { object } = decodeObject(schema, decodeProtobuf(schema, pod))
  assert.deepEqual(object, {
    metadata: { name: "web", namespace: "default", labels: { app: "web" } },
    spec: {
      volumes: [{ name: "config", configMap: { name: "settings", optional: true } }],
      containers: [
        {
          name: "c",
          image: "busybox",
          resources: { requests: { cpu: "100m" } },
          ports: [{ containerPort: 80, protocol: "TCP" }],
          livenessProbe: { httpGet: { port: "http" } },
        },
      ],
      terminationGracePeriodSeconds: 0,
      priorityClassName: "host",
    },
    status: {},
  })
})

test("negative and large integers keep their value", () => {
  const schema = schemaOf("io.k8s.api.core.v1.Toleration")
  assert.deepEqual(decodeProtobuf(schema, message([[5, -1]])), { tolerationSeconds: -1 })
  assert.deepEqual(decodeProtobuf(schema, message([[5, 2 ** 52 + 1]])), { tolerationSeconds: 2 ** 52 + 1 })
})

test("the envelope tells the type; garbage is refused", () => {
  const body = Buffer.concat([
    Buffer.from("k8s\0"),
    message([
      [
        1,
        [
          [1, "v1"],
          [2, "Pod"],
        ],
      ],
      [2, "raw"],
    ]),
  ])
  const { apiVersion, kind, raw } = openProtobufEnvelope(body)
  assert.deepEqual([apiVersion, kind, raw.toString()], ["v1", "Pod", "raw"])
  assert.throws(() => openProtobufEnvelope(Buffer.from("{}")), /does not appear to be a protobuf message/)
  for (let cut = 1; cut < pod.length; cut += 7) {
    try {
      decodeProtobuf(schemaOf("io.k8s.api.core.v1.Pod"), pod.subarray(0, cut))
    } catch (thrown) {
      assert.match((thrown as Error).message, /unexpected EOF|proto:/)
    }
  }
})

test("schemas of custom resources: unions, JSON and names with signs", () => {
  const text = [[5, "string"]] as const
  const crd = message([
    [
      2,
      [
        [
          7,
          [
            [1, "v1"],
            [
              4,
              [
                [
                  1,
                  [
                    [3, "#/x"],
                    [5, "object"],
                    [8, [[1, '{"a":1}']]],
                    [20, [[1, '"one"']]],
                    [24, [[1, text]]],
                    [
                      29,
                      [
                        [1, "list"],
                        [
                          2,
                          [
                            [
                              24,
                              [
                                [2, text],
                                [2, [[5, "integer"]]],
                              ],
                            ],
                          ],
                        ],
                      ],
                    ],
                    [
                      30,
                      [
                        [1, 1],
                        [2, text],
                      ],
                    ],
                    [33, [[1, 1]]],
                    [38, 1],
                    [41, "name"],
                    [42, "map"],
                    [44, [[1, "self.a > 1"]]],
                  ],
                ],
              ],
            ],
          ],
        ],
      ],
    ],
  ])
  const schema = schemaOf("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition")
  const value = decodeProtobuf(schema, crd) as {
    spec: { versions: { schema: { openAPIV3Schema: unknown } }[] }
  }
  assert.deepEqual(value.spec.versions[0]!.schema.openAPIV3Schema, {
    $ref: "#/x",
    type: "object",
    default: { a: 1 },
    enum: ["one"],
    items: { type: "string" },
    properties: { list: { items: [{ type: "string" }, { type: "integer" }] } },
    additionalProperties: { type: "string" },
    additionalItems: true,
    "x-kubernetes-preserve-unknown-fields": true,
    "x-kubernetes-list-map-keys": ["name"],
    "x-kubernetes-list-type": "map",
    "x-kubernetes-validations": [{ rule: "self.a > 1" }],
  })
})

test("A time that no text can say is refused, in every kind of time", () => {
  const lease = (seconds: number, nanos = 0): unknown => {
    const time: readonly Part[] = [
      [1, seconds],
      [2, nanos],
    ]
    return (
      decodeProtobuf(schemaOf("io.k8s.api.coordination.v1.Lease")!, message([[2, [[3, time]]]])) as {
        spec: { acquireTime: unknown }
      }
    ).spec.acquireTime
  }
  assert.equal(lease(1, 2_000_999), "1970-01-01T00:00:01.002000Z")
  assert.equal(lease(253_402_300_799), "9999-12-31T23:59:59.000000Z")
  assert.equal(lease(-62_167_219_200), "0000-01-01T00:00:00.000000Z")
  const beyond = /^proto: -?\d+ seconds are beyond the times that can be told$/
  for (const seconds of [253_402_300_800, -62_167_219_201, 2 ** 53 - 1, -(2 ** 53 - 1)]) {
    assert.throws(() => lease(seconds), { name: "DecodeError", message: beyond }, String(seconds))
    const metadata = message([[1, [[8, [[1, seconds]]]]]])
    assert.throws(() => decodeProtobuf(schemaOf("io.k8s.api.core.v1.Pod")!, metadata), { message: beyond })
  }
})
