import { readdirSync, readlinkSync } from "node:fs"

import { listeningPortOf, poll, type Polled } from "../machine/libc.ts"
import { systemText } from "../machine/machine.ts"

/** The entries for the socket on a port in the poll instances of this process. */
function polledOn(port: number): readonly Polled[] {
  return readdirSync("/proc/self/fd")
    .filter((descriptor) => linkOf(`/proc/self/fd/${descriptor}`) === "anon_inode:[eventpoll]")
    .flatMap((epoll) =>
      systemText(`/proc/self/fdinfo/${epoll}`)
        .split("\n")
        .flatMap((line): Polled[] => {
          const [, descriptor, events = "", data = ""] =
            /^tfd: +(\d+) events: +([0-9a-f]+) data: +([0-9a-f]+) /.exec(line) ?? []
          // The kernel's table of sockets has the same information, but reading it takes 15 ms, and longer on a
          // busy machine.
          if (descriptor === undefined || listeningPortOf(Number(descriptor)) !== port) return []
          const bits = Number.parseInt(events, 16)
          return [
            { epoll: Number(epoll), descriptor: Number(descriptor), events: bits, data: BigInt(`0x${data}`) },
          ]
        }),
    )
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ""
  }
}

/**
 * Lets new connections in or makes them wait in the kernel. A process that may open no more files cannot
 * accept a connection, and the kernel would report the waiting connections again and again without a pause.
 *
 * Bun has no way to pause, so this asks the kernel itself. On other systems than Linux nothing happens.
 */
export class NewConnections {
  readonly #polled: readonly Polled[]
  #isOpen = true

  /** `port` is the port on which this process listens. */
  constructor(port: number) {
    this.#polled = process.platform === "linux" ? polledOn(port) : []
  }

  /** Accepts new connections, waiting ones first. */
  open(): void {
    if (this.#isOpen) return
    this.#isOpen = true
    for (const polled of this.#polled) poll(polled)
  }

  /** Makes new connections wait. */
  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    for (const polled of this.#polled) poll({ ...polled, events: 0 })
  }
}
