import assert from "node:assert/strict"
import { test } from "node:test"
import { detachedSignature, signData } from "./bootstrap-signer.controller.ts"

test("a signature is that of the published signer", () => {
  // Mirrors: cluster-bootstrap token/jws/jws_test.go
  const content = "Hello from the other side. I must have called a thousand times."
  assert.equal(
    detachedSignature(content, "joshua", "my voice is my passcode"),
    "eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9..VShe2taLd-YTrmWuRkcL_8QTNDHYxQIEBsAYYiIj1_8",
  )
})

test("signatures of tokens come and go, and nothing is written that is right", () => {
  const token = { id: "abcdef", secret: "0123456789abcdef" }
  const signature = detachedSignature("config", token.id, token.secret)
  const signed = { kubeconfig: "config", other: "x", "jws-kubeconfig-abcdef": signature }
  assert.deepEqual(signData({ kubeconfig: "config", other: "x" }, [token]), signed)
  assert.equal(signData(signed, [token]), undefined)
  assert.deepEqual(signData(signed, []), { kubeconfig: "config", other: "x" })
  assert.equal(signData({ other: "x" }, [token]), undefined)
})
