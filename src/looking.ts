import { dirname } from "node:path"

import type { Bus } from "./bus/bus.ts"
import type { Reasons } from "./health.ts"
import { log } from "./log.ts"
import { areDescriptorsScarce, freeBytes } from "./machine.ts"
import type { Service } from "./service.ts"
import type { SqliteStore } from "./store/sqlite/sqlite.ts"
import type { Broadcaster } from "./stream/broadcaster.ts"
import { Descriptors } from "./upkeep/descriptors.ts"
import { Disk } from "./upkeep/disk.ts"
import { Hearing } from "./upkeep/hearing.ts"
import { Loop } from "./upkeep/loop.ts"
import { Watch } from "./upkeep/watch.ts"

/** Logs an error of the server's own under this message. */
type Logged = (message: string) => (error: unknown) => void

/** What is looked at, and who hears of it. */
export interface Looked {
  /** Where faults are noted. */
  readonly reasons: Reasons
  /** Looks at the event loop. */
  readonly loop: Loop
  /** What the streams hear by. */
  readonly broadcaster: Broadcaster
  /** The doorbell, to be rung again. */
  readonly bus: Bus
  /** Closes connections on which nothing is under way; returns how many. */
  readonly closeIdle: () => number
  /** Called when the database file is no longer the one that was opened. */
  readonly onReplaced: () => void
  /** Logs errors. */
  readonly logged: Logged
}

/** What looks at the event loop and at the machine's clock. */
export const loopOf = (reasons: Reasons, logged: Logged): Loop =>
  new Loop(reasons, {
    nowMs: Date.now,
    steadyMs: () => performance.now(),
    onJump: (ms) => log("warn", "the machine's clock jumped", { seconds: Math.round(ms / 1000) }),
    onError: logged("the event loop could not be looked at"),
  })

const descriptorsOf = ({ reasons, closeIdle, logged }: Looked): Descriptors =>
  new Descriptors(reasons, {
    areScarce: areDescriptorsScarce,
    closeIdle,
    nowMs: () => performance.now(),
    onScarce: (closed) =>
      log("error", "out of file descriptors: new connections wait; raise LimitNOFILE or ulimit -n", {
        idle_connections_closed: closed,
      }),
    onError: logged("file descriptors could not be looked at"),
  })

/** Everything that looks at the running server and notes what is wrong, in the order of its start. */
export function lookingOf(store: SqliteStore, looked: Looked): readonly Service[] {
  const { reasons, loop, broadcaster, bus, onReplaced, logged } = looked
  return [
    new Watch(store, reasons, { onReplaced, onError: logged("the database could not be looked after") }),
    loop,
    descriptorsOf(looked),
    new Disk(reasons, {
      freeBytes: () => freeBytes(dirname(store.found.path)),
      onError: logged("the disk could not be looked at"),
    }),
    new Hearing(reasons, {
      head: () => store.head(),
      heard: () => broadcaster.heard,
      ring: () => bus.notify(),
      onError: logged("the history could not be read"),
    }),
  ]
}
