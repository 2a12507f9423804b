/** Every target. */
import type { Target } from "../target.ts"
import { apiRequests } from "./api-requests.ts"
import { certificates } from "./certificates.ts"
import { cron } from "./cron.ts"
import { dnsMessages } from "./dns-messages.ts"
import { dnsServer } from "./dns-server.ts"
import { durations } from "./durations.ts"
import { imageArchives } from "./image-archives.ts"
import { jsonTexts } from "./json-texts.ts"
import { kinds } from "./kinds.ts"
import { kubectl } from "./kubectl.ts"
import { kubeletServer } from "./kubelet-server.ts"
import { names } from "./names.ts"
import { patches } from "./patches.ts"
import { protobuf } from "./protobuf.ts"
import { quantities } from "./quantities.ts"
import { rawHttp } from "./raw-http.ts"
import { registry } from "./registry.ts"
import { selectors } from "./selectors.ts"
import { templates } from "./templates.ts"
import { yamlTexts } from "./yaml-texts.ts"

export const targets: readonly Target[] = [
  ...[quantities, durations, cron, selectors, names, jsonTexts, yamlTexts],
  ...[patches, kinds, protobuf, certificates, templates, dnsMessages, dnsServer],
  ...[apiRequests, rawHttp, kubeletServer, registry, imageArchives, kubectl],
]
