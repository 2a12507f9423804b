/** Certificates and requests for them: PEM and DER give a value or a refusal. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { X509Certificate } from "node:crypto"
import { parseCertificateRequest, readAllDer, readPem } from "@knarr/base"
import { answerOf, defineTarget, expect } from "../target.ts"

const root = join(import.meta.dirname, "../../..")
const files = [
  "tools/fuzz/testdata/request.pem",
  ...["ca.pem", "server.pem", "client.pem"].map((name) => `packages/kubelet/src/server/testdata/${name}`),
]

export const certificates = defineTarget<{ pem: string; der: string }>({
  name: "certificates",
  quick: 400,
  open() {
    const pems = files.map((file) => readFileSync(join(root, file), "utf8"))
    const ders = pems.map((pem) => Buffer.from(pem.replace(/-----.*-----/g, ""), "base64").toString("latin1"))
    return {
      generate: (draw) => ({
        pem: draw.mutate(draw.pick(pems), pems),
        der: draw.mutate(draw.pick(ders), ders),
      }),
      check({ pem, der }) {
        answerOf(() => readPem(pem))
        const bytes = Buffer.from(der, "latin1")
        const all = answerOf(() => readAllDer(bytes))
        const raw = all && Buffer.concat(all.map((one) => one.raw))
        expect(!raw || raw.equals(bytes), "elements are not what they were read from")
        const parsed = answerOf(() => parseCertificateRequest(bytes))
        if (parsed) answerOf(() => parsed.signatureProblem())
        answerOf(() => new X509Certificate(bytes))
      },
    }
  },
})
