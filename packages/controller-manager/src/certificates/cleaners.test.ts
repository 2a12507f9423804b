import assert from "node:assert/strict"
import { test } from "node:test"
import { certificateSigningRequest } from "@knarr/api"
import {
  createCertificateRequest,
  createPrivateKeyPem,
  Meter,
  Scope,
  seededRandom,
  silentLogger,
  VirtualClock,
} from "@knarr/base"
import { runControllers } from "@knarr/controller-kit"
import { startTestPlane } from "@knarr/testkit"
import { csrCleanerController } from "./cleaners.controller.ts"

test("what was denied an hour ago is deleted within another, and what waits is not", async () => {
  const clock = new VirtualClock()
  const env = { clock, random: seededRandom(1), log: silentLogger, meter: new Meter() }
  await using scope = new Scope("test", { env })
  const plane = await startTestPlane(scope, env)
  const client = plane.client()
  const request = Buffer.from(createCertificateRequest({ commonName: "a" }, createPrivateKeyPem())).toString(
    "base64",
  )
  const spec = { request, signerName: "example.com/s", usages: ["client auth"] }
  for (const name of ["denied", "waiting"])
    await client.create(certificateSigningRequest, { metadata: { name }, spec, status: {} })
  const found = await client.get(certificateSigningRequest, { name: "denied" })
  const status = { conditions: [{ type: "Denied", status: "True", reason: "Test" }] }
  await client.update(certificateSigningRequest, { ...found, status }, { subresource: "approval" })
  await runControllers({
    controllers: [csrCleanerController],
    client,
    env,
    scope: scope.child("controllers"),
  })
  const names = async (afterMinutes: number): Promise<readonly (string | undefined)[]> => {
    await clock.advance(afterMinutes * 60_000)
    return (await client.list(certificateSigningRequest)).items.map(({ metadata }) => metadata.name)
  }
  assert.deepEqual(await names(59), ["denied", "waiting"])
  assert.deepEqual(await names(62), ["waiting"])
})
