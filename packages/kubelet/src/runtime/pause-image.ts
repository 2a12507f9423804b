/**
 * The sandbox ("pause") image: one static program of some 300 bytes that holds a pod's namespaces, reaps the
 * orphans of a shared PID namespace, and ends on SIGTERM or SIGINT. It is assembled here, so that a node needs
 * neither a compiler nor a registry.
 * Mirrors: build/pause/linux/pause.c
 */
import { createImageTar, hostArchitecture } from "./oci-image.ts"

/** The reference of the sandbox image in containerd. The tag changes whenever the program does. */
export const pauseImage = "knarr.internal/pause:1"

/** The image for this machine, as containerd imports it. */
export function createPauseImageTar(): Buffer {
  const architecture = hostArchitecture()
  return createImageTar({
    name: pauseImage,
    architecture,
    files: [{ path: "pause", mode: 0o755, data: assemblePause(architecture) }],
    config: { Entrypoint: ["/pause"], User: "65535:65535", WorkingDir: "/" },
  })
}

const base = 0x400000
const headersLength = 64 + 56
const sigchld = 17
const sigterm = 15
const sigint = 2
/** x86-64 refuses a handler without a restorer. Ours never returns, so any address does. */
const saRestorer = 0x04000000

/** The program as an ELF executable. */
function assemblePause(architecture: "amd64" | "arm64"): Buffer {
  const assemble = architecture === "arm64" ? assembleArm64 : assembleAmd64
  const codeAt = base + headersLength
  // Sizes do not depend on addresses, so a first pass with any address tells where the data begins.
  const dataAt = (codeAt + assemble(0, 0).code.length + 7) & ~7
  const { code, exitOffset } = assemble(dataAt, dataAt + 32)
  const data = Buffer.alloc(64)
  data.writeBigUInt64LE(1n, 0) // SIG_IGN: the kernel reaps children by itself
  data.writeBigUInt64LE(BigInt(codeAt + exitOffset), 32)
  data.writeBigUInt64LE(BigInt(saRestorer), 40)
  data.writeBigUInt64LE(BigInt(codeAt + exitOffset), 48)
  const length = dataAt - base + data.length
  const file = Buffer.alloc(length)
  elfHeaders(architecture, length).copy(file)
  code.copy(file, headersLength)
  data.copy(file, dataAt - base)
  return file
}

function elfHeaders(architecture: "amd64" | "arm64", length: number): Buffer {
  const out = Buffer.alloc(headersLength)
  out.write("\x7fELF\x02\x01\x01", 0, "latin1")
  out.writeUInt16LE(2, 16) // executable
  out.writeUInt16LE(architecture === "arm64" ? 183 : 62, 18)
  out.writeUInt32LE(1, 20)
  out.writeBigUInt64LE(BigInt(base + headersLength), 24) // entry
  out.writeBigUInt64LE(64n, 32) // program headers
  out.writeUInt16LE(64, 52)
  out.writeUInt16LE(56, 54)
  out.writeUInt16LE(1, 56)
  out.writeUInt32LE(1, 64) // loadable
  out.writeUInt32LE(5, 68) // readable, executable
  out.writeBigUInt64LE(BigInt(base), 80)
  out.writeBigUInt64LE(BigInt(base), 88)
  out.writeBigUInt64LE(BigInt(length), 96)
  out.writeBigUInt64LE(BigInt(length), 104)
  out.writeBigUInt64LE(0x10000n, 112)
  return out
}

interface Code {
  readonly code: Buffer
  /** Where the code that ends the process begins. */
  readonly exitOffset: number
}

function assembleAmd64(ignoreAt: number, exitAt: number): Code {
  const bytes: number[] = []
  const word = (value: number): number[] => [
    value & 255,
    (value >>> 8) & 255,
    (value >>> 16) & 255,
    (value >>> 24) & 255,
  ]
  for (const [signal, action] of [
    [sigchld, ignoreAt],
    [sigterm, exitAt],
    [sigint, exitAt],
  ] as const) {
    bytes.push(0xb8, ...word(13)) // mov eax, rt_sigaction
    bytes.push(0xbf, ...word(signal)) // mov edi, signal
    bytes.push(0xbe, ...word(action)) // mov esi, action
    bytes.push(0x31, 0xd2) // xor edx, edx
    bytes.push(0x41, 0xba, ...word(8)) // mov r10d, 8
    bytes.push(0x0f, 0x05) // syscall
  }
  bytes.push(0xb8, ...word(34), 0x0f, 0x05) // mov eax, pause; syscall
  bytes.push(0xeb, 0xf7) // jmp back to the mov
  const exitOffset = bytes.length
  bytes.push(0xb8, ...word(231), 0x31, 0xff, 0x0f, 0x05) // mov eax, exit_group; xor edi, edi; syscall
  return { code: Buffer.from(bytes), exitOffset }
}

function assembleArm64(ignoreAt: number, exitAt: number): Code {
  const words: number[] = []
  const move = (register: number, value: number): void => {
    words.push((0xd2800000 | ((value & 0xffff) << 5) | register) >>> 0) // movz
    words.push((0xf2a00000 | (((value >>> 16) & 0xffff) << 5) | register) >>> 0) // movk, lsl 16
  }
  const call = (number: number, ...args: number[]): void => {
    move(8, number)
    args.forEach((value, register) => move(register, value))
    words.push(0xd4000001) // svc 0
  }
  call(134, sigchld, ignoreAt, 0, 8) // rt_sigaction
  call(134, sigterm, exitAt, 0, 8)
  call(134, sigint, exitAt, 0, 8)
  const loop = words.length
  call(73, 0, 0, 0, 0) // ppoll without an end
  words.push((0x14000000 | ((loop - words.length) & 0x03ffffff)) >>> 0) // b loop
  const exitOffset = words.length * 4
  call(94, 0) // exit_group
  const code = Buffer.alloc(words.length * 4)
  words.forEach((value, i) => code.writeUInt32LE(value, i * 4))
  return { code, exitOffset }
}
