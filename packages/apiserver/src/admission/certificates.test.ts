import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  certificateSigningRequest,
  clusterRole,
  clusterRoleBinding,
  clusterTrustBundle,
  podCertificateRequest,
  type CertificateSigningRequest,
} from "@knarr/api"
import { statusErrorFrom } from "@knarr/apimachinery"
import { createCertificateRequest, createPrivateKeyPem } from "@knarr/base"
import type { Client } from "@knarr/client"
import type { ControlPlane } from "../control-plane.ts"
import { refusalOf, testCertificates, withTestPlane } from "../testing.ts"

void statusErrorFrom
const base64 = (text: string): string => Buffer.from(text).toString("base64")
const key = createPrivateKeyPem()
const requestOf = (commonName: string, ...organizations: string[]): string =>
  base64(createCertificateRequest({ commonName, organizations }, key))
/** `O=system:masters` as a BMP string, which no byte comparison finds. */
const bmpMasters =
  "MIHwMIGXAgEAMDUxJTAjBgNVBAoeHABzAHkAcwB0AGUAbQA6AG0AYQBzAHQAZQByAHMxDDAKBgNVBAMMA2V2ZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABKP4uwf3RmwrIrVQlAm9TX/KVj94j6TuIt5bFW3jVXrQYLs54cvfXwh8XzkPV9AF7XuN7FkFX74fRemTUqeEMpOgADAKBggqhkjOPQQDAgNIADBFAiAU6Gme8ApLCxOg21tClcZC5YjIS2K6s9srW9KI5BSWdgIhAPXsJ7cwT/1LZ0FJC0pONp57V0gRlmGt82RW+5sIsjxh"
const pemOf = (type: string, body: string): string =>
  base64(`-----BEGIN ${type}-----\n${body.replace(/.{64}(?=.)/g, "$&\n")}\n-----END ${type}-----\n`)

type Spec = Partial<CertificateSigningRequest["spec"]>
const csr = (name: string, spec: Spec = {}): CertificateSigningRequest =>
  ({
    metadata: { name },
    spec: { request: requestOf("me"), signerName: "example.com/s", usages: ["client auth"], ...spec },
  }) as CertificateSigningRequest

async function codeAndMessage(work: Promise<unknown>): Promise<[number, string] | undefined> {
  const status = await refusalOf(work)
  return status && [status.code!, status.message!]
}

/** A client of somebody who holds what `rules` say, of certificates.k8s.io. */
async function clientWith(plane: ControlPlane, name: string, ...rules: [string, string][]): Promise<Client> {
  const admin = plane.client()
  await admin.create(clusterRole, {
    metadata: { name },
    rules: [
      ...rules.map(([verbs, resource]) => ({
        apiGroups: ["certificates.k8s.io"],
        resources: [resource],
        verbs: verbs.split(","),
      })),
    ],
  } as never)
  await admin.create(clusterRoleBinding, {
    metadata: { name },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
    subjects: [{ kind: "User", apiGroup: "rbac.authorization.k8s.io", name }],
  } as never)
  return plane.client({
    name,
    uid: `uid-of-${name}`,
    groups: ["team", "system:authenticated"],
    extra: { scopes: ["a", "b"], ["__proto__"]: ["x"] },
  })
}

describe("certificate signing requests", () => {
  it("carry who really asked, whatever the client and later updates say", async () => {
    await withTestPlane(async (plane) => {
      const eve = await clientWith(plane, "eve", ["*", "*"])
      const lie: Spec = {
        username: "admin",
        uid: "1",
        groups: ["system:masters"],
        extra: { a: ["b"] },
      }
      const truth = {
        username: "eve",
        uid: "uid-of-eve",
        groups: ["team", "system:authenticated"],
      }
      for (const [name, spec] of [
        ["lies", lie],
        ["silent", {}],
      ] as const) {
        const made = await eve.create(certificateSigningRequest, csr(name, spec))
        const { username, uid, groups, extra } = made.spec
        assert.deepEqual({ username, uid, groups }, truth)
        assert.deepEqual(extra!["scopes"], ["a", "b"])
        assert.equal(Object.getPrototypeOf(extra), Object.prototype)
        const patched = await eve.patch(certificateSigningRequest, { name }, "merge", {
          metadata: { labels: { l: "1" } },
          spec: lie,
        })
        assert.deepEqual(patched.spec, made.spec)
        for (const subresource of ["status", "approval"]) {
          const patch = { metadata: { labels: { l: subresource } }, spec: lie }
          const next = await eve.patch(certificateSigningRequest, { name }, "merge", patch, { subresource })
          assert.deepEqual(next.spec, made.spec)
        }
      }
      const applied = await eve.patch(
        certificateSigningRequest,
        { name: "applied" },
        "apply",
        { ...csr("applied", lie), apiVersion: "certificates.k8s.io/v1", kind: "CertificateSigningRequest" },
        { fieldManager: "eve" },
      )
      assert.equal(applied.spec.username, "eve")
    })
  })

  it("are refused for what no request is, or for a signer that is none", async () => {
    const der = Buffer.from(
      Buffer.from(requestOf("me"), "base64")
        .toString()
        .replace(/-----[^-]+-----|\s/g, ""),
      "base64",
    )
    der.write("we", der.indexOf("me"))
    const broken = pemOf("CERTIFICATE REQUEST", der.toString("base64"))
    const cases: [string, Spec, RegExp][] = [
      ["no PEM", { request: base64("x") }, /PEM block type must be CERTIFICATE REQUEST/],
      [
        "a certificate",
        { request: base64(testCertificates().ca.cert) },
        /PEM block type must be CERTIFICATE REQUEST/,
      ],
      ["PEM of no DER", { request: pemOf("CERTIFICATE REQUEST", "AAAA") }, /spec\.request: Invalid value/],
      ["a false signature", { request: broken }, /ECDSA verification failure/],
      [
        "the legacy signer",
        { signerName: "kubernetes.io/legacy-unknown" },
        /the legacy signerName is not allowed via this API version/,
      ],
      ["no slash", { signerName: "example.com" }, /must be a fully qualified domain and path/],
      ["two slashes", { signerName: "example.com/a/b" }, /must be a fully qualified domain and path/],
      ["one label", { signerName: "example/a" }, /should be a domain with at least two segments/],
      ["an upper-case label", { signerName: "Example.com/a" }, /validating label "Example"/],
      ["an upper-case path", { signerName: "example.com/A" }, /validating label "A"/],
      ["unknown usage", { usages: ["bogus"] }, /Unsupported value: "bogus"/],
      ["doubled usage", { usages: ["any", "any"] }, /Duplicate value: "any"/],
      ["no usage", { usages: [] }, /spec\.usages: Required value/],
      ["a short life", { expirationSeconds: 599 }, /may not specify a duration less than 600 seconds/],
    ]
    await withTestPlane(async (plane) => {
      for (const [what, spec, message] of cases) {
        const refused = await codeAndMessage(plane.client().create(certificateSigningRequest, csr("x", spec)))
        assert.equal(refused?.[0], 422, what)
        assert.match(refused[1], message, what)
      }
    })
  })

  it("for the administrators' group are refused in every spelling, for the API server's client signer alone", async () => {
    const signerName = "kubernetes.io/kube-apiserver-client"
    const cases: [string, string, string, number | undefined][] = [
      ["plain", requestOf("eve", "system:masters"), signerName, 403],
      ["second organisation", requestOf("eve", "a", "system:masters"), signerName, 403],
      ["BMP string", pemOf("CERTIFICATE REQUEST", bmpMasters), signerName, 403],
      ["as the common name", requestOf("system:masters", "team"), signerName, undefined],
      ["other signer", requestOf("eve", "system:masters"), "example.com/s", undefined],
    ]
    await withTestPlane(async (plane) => {
      const eve = await clientWith(plane, "eve", ["create", "certificatesigningrequests"])
      for (const [i, [what, request, signer, status]] of cases.entries()) {
        const work = eve.create(certificateSigningRequest, csr(`c${i}`, { request, signerName: signer }))
        assert.equal((await codeAndMessage(work))?.[0], status, what)
      }
    })
  })

  it("are approved through approval and signed through status, by those whom the signer trusts", async () => {
    const condition = (type: string, status = "True"): object => ({ type, status, reason: "R", message: "" })
    const good = base64(testCertificates().ca.cert)
    const cases: [string, string, object, number | undefined, RegExp?][] = [
      ["approver", "approval", { conditions: [condition("Approved")] }, undefined],
      [
        "approver",
        "approval",
        { conditions: [condition("Approved", "False")] },
        422,
        /Unsupported value: "False"/,
      ],
      ["approver", "approval", { conditions: [condition("Approved", "")] }, 422, /status: Required value/],
      ["approver", "approval", { conditions: [condition("")] }, 422, /type: Required value/],
      [
        "approver",
        "approval",
        { conditions: [condition("Approved"), condition("Denied")] },
        422,
        /mutually exclusive/,
      ],
      ["approver", "approval", { conditions: [condition("X", "Unknown")] }, undefined],
      [
        "approver",
        "status",
        { conditions: [condition("Approved")] },
        422,
        /updates may not add a condition of type "Approved"/,
      ],
      [
        "approver",
        "status",
        { conditions: [condition("Denied")] },
        422,
        /updates may not add a condition of type "Denied"/,
      ],
      ["approver", "status", { certificate: good }, 403, /user not permitted to sign requests/],
      [
        "approver",
        "status",
        { conditions: [condition("Failed")] },
        403,
        /user not permitted to sign requests/,
      ],
      ["signer", "status", { certificate: good }, undefined],
      [
        "signer",
        "status",
        { certificate: base64("eve") },
        422,
        /must contain at least one CERTIFICATE PEM block/,
      ],
      ["signer", "status", { certificate: pemOf("CERTIFICATE", "AAAA") }, 422, /<certificate data>/],
      [
        "signer",
        "status",
        { certificate: pemOf("PRIVATE KEY", "AAAA") },
        422,
        /only CERTIFICATE PEM blocks are allowed/,
      ],
      [
        "signer",
        "status",
        { certificate: pemOf("CERTIFICATE", "K: v\n\nAAAA") },
        422,
        /no PEM block headers are permitted/,
      ],
      ["signer", "status", { conditions: [condition("Failed")] }, undefined],
      ["signer", "approval", { conditions: [condition("Approved")] }, 403, /user not permitted to approve/],
      ["signer", "approval", { certificate: good }, 403, /user not permitted to approve/],
    ]
    await withTestPlane(async (plane) => {
      const all: [string, string] = ["create,get,update,patch", "*"]
      const clients: Record<string, Client> = {
        approver: await clientWith(
          plane,
          "approver",
          ["approve", "signers"],
          ["get,patch", "certificatesigningrequests/*"],
        ),
        signer: await clientWith(
          plane,
          "signer",
          ["sign", "signers"],
          ["get,patch", "certificatesigningrequests/*"],
        ),
        anyone: await clientWith(plane, "anyone", all),
      }
      const sub = ["certificatesigningrequests/status", "certificatesigningrequests/approval"]
      for (const name of ["approver", "signer"]) {
        const role = await plane.client().get(clusterRole, { name })
        const rules = [
          ...role.rules!,
          { apiGroups: ["certificates.k8s.io"], resources: sub, verbs: ["patch"] },
        ]
        await plane.client().patch(clusterRole, { name }, "merge", { rules })
      }
      for (const [i, [who, subresource, status, code, message]] of cases.entries()) {
        const name = `c${i}`
        await plane.client().create(certificateSigningRequest, csr(name))
        const work = clients[who]!.patch(
          certificateSigningRequest,
          { name },
          "merge",
          { status },
          { subresource },
        )
        const refused = await codeAndMessage(work)
        const what = `${who} ${subresource} ${JSON.stringify(status)}`
        assert.equal(refused?.[0], code, `${what}: ${refused?.[1]}`)
        if (message) assert.match(refused![1], message, what)
      }
    })
  })

  it("keep what was decided and issued", async () => {
    await withTestPlane(async (plane) => {
      const admin = plane.client()
      const name = "kept"
      const good = base64(testCertificates().ca.cert)
      await admin.create(certificateSigningRequest, csr(name))
      const patch = (subresource: string, status: object): Promise<CertificateSigningRequest> =>
        admin.patch(certificateSigningRequest, { name }, "merge", { status }, { subresource })
      const approved = await patch("approval", {
        conditions: [{ type: "Approved", status: "True", reason: "R" }],
      })
      await patch("status", { certificate: good })
      for (const [subresource, status, message] of [
        ["approval", { conditions: [] }, /may not remove a condition of type "Approved"/],
        ["status", { conditions: [] }, /may not remove a condition of type "Approved"/],
        [
          "status",
          { certificate: base64(testCertificates().ca.cert) },
          /may not modify existing certificate content/,
        ],
        ["status", { certificate: null }, /may not modify existing certificate content/],
      ] as const) {
        const refused = await codeAndMessage(patch(subresource, status))
        assert.equal(refused?.[0], 422)
        assert.match(refused[1], message)
      }
      const changed = await patch("status", {
        conditions: [{ type: "Approved", status: "True", reason: "other" }],
      })
      assert.deepEqual(changed.status.conditions, approved.status.conditions)
      const plain = await admin.patch(certificateSigningRequest, { name }, "merge", {
        status: { certificate: "" },
      })
      assert.equal(plain.status.certificate, good)
    })
  })
})

describe("other certificates", () => {
  it("a bundle of a signer needs the right to attest for it", async () => {
    await withTestPlane(async (plane) => {
      const bundle = (name: string, signerName?: string): never =>
        ({ metadata: { name }, spec: { trustBundle: testCertificates().ca.cert, signerName } }) as never
      const eve = await clientWith(plane, "eve", ["create,update,patch,get", "clustertrustbundles"])
      assert.deepEqual(
        (
          await codeAndMessage(eve.create(clusterTrustBundle, bundle("example.com:s:a", "example.com/s")))
        )?.[0],
        403,
      )
      assert.equal(await codeAndMessage(eve.create(clusterTrustBundle, bundle("free"))), undefined)
      await plane.client().create(clusterTrustBundle, bundle("example.com:s:a", "example.com/s"))
      const at = { name: "example.com:s:a" }
      const labelled = eve.patch(clusterTrustBundle, at, "merge", { metadata: { labels: { a: "b" } } })
      assert.match(
        (await codeAndMessage(labelled))![1],
        /user not permitted to attest for signerName "example.com\/s"/,
      )
      const finalized = eve.patch(clusterTrustBundle, at, "merge", {
        metadata: { finalizers: ["example.com/f"] },
      })
      assert.equal(await codeAndMessage(finalized), undefined)
    })
  })

  it("a pod's certificate is issued by who may sign", async () => {
    await withTestPlane(async (plane) => {
      const admin = plane.client()
      const eve = await clientWith(plane, "eve", ["get,patch", "podcertificaterequests/status"])
      const stub = Buffer.from(
        Buffer.from(requestOf(""), "base64")
          .toString()
          .replace(/-----[^-]+-----|\s/g, ""),
        "base64",
      ).toString("base64")
      await admin.create(podCertificateRequest, {
        metadata: { namespace: "default", name: "p" },
        spec: {
          signerName: "example.com/s",
          podName: "p",
          podUID: "1",
          serviceAccountName: "s",
          serviceAccountUID: "2",
          nodeName: "n",
          nodeUID: "3",
          stubPKCS10Request: stub,
        },
      } as never)
      const at = { namespace: "default", name: "p" }
      const status = {
        conditions: [
          {
            type: "Denied",
            status: "True",
            reason: "R",
            message: "",
            lastTransitionTime: "2026-01-01T00:00:00Z",
          },
        ],
      }
      const patch = (client: Client): Promise<unknown> =>
        client.patch(podCertificateRequest, at, "merge", { status }, { subresource: "status" })
      const refused = await codeAndMessage(patch(eve))
      assert.equal(refused?.[0], 422)
      assert.match(refused[1], /User "eve" is not permitted to "sign" for signer "example.com\/s"/)
      assert.equal(await codeAndMessage(patch(admin)), undefined)
    })
  })
})
