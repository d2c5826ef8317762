import { dlopen, ptr } from "bun:ffi"

const LOCK_EXCLUSIVE = 2
const LOCK_NO_WAIT = 4
const CLOSE_ON_EXEC = 0o2000000

/** The functions that every C library has on which Bun runs. */
const SYMBOLS = {
  flock: { args: ["int", "int"], returns: "int" },
  alarm: { args: ["uint32_t"], returns: "uint32_t" },
  pipe2: { args: ["ptr", "int"], returns: "int" },
  waitpid: { args: ["int", "ptr", "int"], returns: "int" },
  poll: { args: ["ptr", "uint64_t", "int"], returns: "int" },
  epoll_ctl: { args: ["int", "int", "int", "ptr"], returns: "int" },
  getsockopt: { args: ["int", "int", "int", "ptr", "ptr"], returns: "int" },
  getsockname: { args: ["int", "ptr", "ptr"], returns: "int" },
  prlimit: { args: ["int", "int", "ptr", "ptr"], returns: "int" },
} as const

/** The names of the C library: glibc's, then musl's. */
const NAMES = ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`]

function open() {
  for (const name of NAMES) {
    try {
      return dlopen(name, SYMBOLS).symbols
    } catch {
      // Not this library: try the next one.
    }
  }
  return undefined
}

let opened: ReturnType<typeof open> | null = null

/** Loaded at the first use, which takes about 0.3 ms. */
function libc() {
  if (opened === null) opened = open()
  return opened
}

/**
 * Locks an open file for as long as this process, or a child that inherits the descriptor, has it open. Returns
 * whether the lock was free; false also on systems without `flock`.
 */
export const lock = (descriptor: number): boolean =>
  libc()?.flock(descriptor, LOCK_EXCLUSIVE | LOCK_NO_WAIT) === 0

const NO_WAIT = 1

/** Collects a child of this process that has ended, so that the kernel forgets it. */
export const forget = (pid: number): void => void libc()?.waitpid(pid, null, NO_WAIT)

/**
 * Lets the kernel end this process by SIGALRM, `seconds` from now, even if the process waits for a disk and
 * no timer runs.
 */
export const endIn = (seconds: number): void => void libc()?.alarm(seconds)

/**
 * The descriptors of both ends of a new pipe, which children do not inherit; undefined if none can be made.
 */
export function pipe(): { readonly from: number; readonly to: number } | undefined {
  const ends = new Int32Array(2)
  const [from, to] = libc()?.pipe2(ptr(ends), CLOSE_ON_EXEC) === 0 ? ends : []
  return from === undefined || to === undefined ? undefined : { from, to }
}

const POLL_ERROR = 8

/**
 * Whether any process still has the other end of a pipe into which this process writes; true also if that is
 * unknown.
 */
export function isRead(descriptor: number): boolean {
  // The descriptor, the awaited events, and the kernel's answer.
  const polled = new DataView(new ArrayBuffer(8))
  polled.setInt32(0, descriptor, true)
  return libc()?.poll(ptr(polled), 1, 0) !== 1 || (polled.getInt16(6, true) & POLL_ERROR) === 0
}

const THIS_PROCESS = 0
const LIMIT_OF_LOCKS = 10

/**
 * Runs `run` while this process has another limit of file locks, made from the one that it has; the processes that it
 * starts keep that limit. If the limit cannot be set, it stays as it is.
 */
export function withLockLimit<T>(limitOf: (own: bigint) => bigint, run: () => T): T {
  const before = new BigUint64Array(2)
  const set = (soft: bigint): void => {
    const [, hard = soft] = before
    libc()?.prlimit(THIS_PROCESS, LIMIT_OF_LOCKS, ptr(new BigUint64Array([soft, hard])), null)
  }
  if (libc()?.prlimit(THIS_PROCESS, LIMIT_OF_LOCKS, null, ptr(before)) !== 0) return run()
  set(limitOf(before[0] ?? 0n))
  try {
    return run()
  } finally {
    set(before[0] ?? 0n)
  }
}

const EPOLL_CTL_MOD = 3

/** What a poll instance of the kernel waits for on one descriptor. */
export interface Polled {
  /** The descriptor of the poll instance. */
  readonly epoll: number
  /** The descriptor to wait for. */
  readonly descriptor: number
  /** For which events, as bits. */
  readonly events: number
  /** What the kernel gives back with an event. */
  readonly data: bigint
}

/** Changes the awaited events; returns whether that was possible. */
export function poll({ epoll, descriptor, events, data }: Polled): boolean {
  // Only on x86 does the kernel pack the two.
  const at = process.arch === "x64" ? 4 : 8
  const event = new DataView(new ArrayBuffer(at + 8))
  event.setUint32(0, events, true)
  event.setBigUint64(at, data, true)
  return libc()?.epoll_ctl(epoll, EPOLL_CTL_MOD, descriptor, ptr(event)) === 0
}

const SOCKET_OPTIONS = 1
const IS_LISTENING = 30
/** The size of an address of IPv6, the longest one. */
const ADDRESS_BYTES = 28
/** Where the port is in an address of IPv4 and of IPv6. */
const PORT_AT = 2

/** The port on which a descriptor of this process takes connections; undefined if it takes none. */
export function listeningPortOf(descriptor: number): number | undefined {
  const [isListening, size] = [new Int32Array(1), new Int32Array([4])]
  const failed = libc()?.getsockopt(descriptor, SOCKET_OPTIONS, IS_LISTENING, ptr(isListening), ptr(size))
  if (failed !== 0 || isListening[0] !== 1) return undefined
  const [address, length] = [new DataView(new ArrayBuffer(ADDRESS_BYTES)), new Int32Array([ADDRESS_BYTES])]
  if (libc()?.getsockname(descriptor, ptr(address), ptr(length)) !== 0) return undefined
  return address.getUint16(PORT_AT)
}
