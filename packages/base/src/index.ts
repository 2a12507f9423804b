export { Backoff, type BackoffOptions } from "./backoff.ts"
export { ByteArena } from "./byte-arena.ts"
export { ByteQueue } from "./byte-queue.ts"
export { type Clock, sleepOn, systemClock, withTimeout } from "./clock.ts"
export { VirtualClock } from "./virtual-clock.ts"
export { CancelledError, TerminalError, TimeoutError, asError, messageOf } from "./errors.ts"
export { type Env } from "./env.ts"
export { type DeflatedPiece, GzipJoin, deflatePiece } from "./gzip-join.ts"
export { goSyntaxError, numberText, parseJson, unboundedNumber } from "./json-syntax.ts"
export { type LogFields, type LogLevel, type Logger, createLogger, silentLogger } from "./log.ts"
export { Meter } from "./meter.ts"
export type { HistogramOptions, MetricOptions, ReadValues } from "./metric-options.ts"
export type { Counter, Histogram } from "./metric-families.ts"
export { type ProgramEnd, type RunOptions, runProgram } from "./run-program.ts"
export { type Random, randomInt, seededRandom, systemRandom, uuid } from "./random.ts"
export {
  type ChildOptions,
  type RestartPolicy,
  Scope,
  type ScopeOptions,
  type TaskOptions,
  type TaskTrouble,
} from "./scope.ts"
export { openScopes } from "./open-scopes.ts"
export { destroySoon } from "./destroy-soon.ts"
export { entryOf } from "./entry-of.ts"
export { tableOf } from "./table.ts"
export { TokenBucket } from "./token-bucket.ts"
export { together } from "./together.ts"
export { trimEndOf, trimOf } from "./trim.ts"
export { WireError, WireReader, type WireType, WireWriter } from "./protobuf-wire.ts"
export { Channel, Semaphore, abortable, deferred, inTurn, whenReady, type Deferred } from "./async.ts"
export {
  type CertificateOptions,
  type KeyPair,
  type RequestedCertificateOptions,
  type Subject,
  certifyRequest,
  createCA,
  createCertificateRequest,
  createKeyProof,
  createPrivateKeyPem,
  issueCertificate,
  writePem,
} from "./x509.ts"
export {
  type AlternativeNames,
  type CertificateRequest,
  type PemBlock,
  parseCertificateRequest,
  readPem,
} from "./certificate-request.ts"
export { type DerElement, DerError, readAllDer, readDer, readObjectId, readString } from "./der.ts"
