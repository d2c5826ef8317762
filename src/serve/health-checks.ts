import { dirname } from "node:path"

import type { Service } from "../background-work.ts"
import type { Bus } from "../bus/bus.ts"
import type { Reason, Reasons } from "../degraded-reasons.ts"
import { log } from "../log.ts"
import {
  freeBytes,
  freeReserved,
  isEmptied,
  mostDescriptors,
  reserve,
  SpareDescriptors,
} from "../machine/machine.ts"
import type { RefuseWhenFull } from "../queue/refuse-when-full.ts"
import type { Store } from "../store/contract/store.ts"
import { isPostgres } from "../store/database-address.ts"
import { sizeOf } from "../store/sqlite/database-path.ts"
import type { Broadcaster } from "../stream/broadcaster.ts"
import { Ballast, BALLAST_BYTES } from "../upkeep/ballast-for-full-disk.ts"
import { DatabaseCheck } from "../upkeep/database-check.ts"
import { Descriptors } from "../upkeep/descriptors.ts"
import { DiskLowWarning } from "../upkeep/disk-low-warning.ts"
import { EventLoop } from "../upkeep/event-loop-and-clock.ts"
import { MissedRings } from "../upkeep/missed-rings.ts"
import { HISTORY_UNREAD, logged } from "./error-log.ts"
import { NewConnections } from "./new-connections.ts"
import { ballastFileOf } from "./open-store.ts"

/**
 * Returns a function that records that a reason holds. It no longer does once the function was not called for this many
 * milliseconds.
 */
export function holdingFor(reasons: Reasons, reason: Reason, ms: number): () => void {
  let end: Timer | undefined
  const over = (): void => {
    end = undefined
    reasons.set(reason, false)
  }
  return () => {
    reasons.set(reason, true)
    // A server that has ended does not wait for it.
    end = end?.refresh() ?? setTimeout(over, ms).unref()
  }
}

/** What is checked, and what is called when a check finds something. */
export interface Checks {
  /** Where faults are noted. */
  readonly reasons: Reasons
  /** Looks at the event loop. */
  readonly loop: EventLoop
  /** Learns when the disk is full. */
  readonly room: RefuseWhenFull
  /** What wakes the streams. */
  readonly broadcaster: Broadcaster
  /** The doorbell, which is rung again if a ring was lost. */
  readonly bus: Bus
  /** Looks at file descriptors. */
  readonly descriptors: Descriptors
  /** Called when the database is no longer the one that was opened. */
  readonly onReplaced: () => void
}

/** Looks at the event loop and at the machine's clock. */
export const eventLoopOf = (reasons: Reasons): EventLoop =>
  new EventLoop(reasons, {
    nowMs: Date.now,
    steadyMs: () => performance.now(),
    onJump: (ms) => log("warn", "the machine's clock jumped", { seconds: Math.round(ms / 1000) }),
    onError: logged("the event loop could not be checked"),
  })

/** The HTTP server, as far as the checks need it; undefined before it listens. */
type Listening = () => Pick<Bun.Server<unknown>, "port" | "closeIdleConnections"> | null

/** Looks at file descriptors. */
export function descriptorsOf(reasons: Reasons, server: Listening): Descriptors {
  const spare = new SpareDescriptors(mostDescriptors() ?? Number.POSITIVE_INFINITY)
  return new Descriptors(reasons, {
    spare,
    door: () => new NewConnections(server()?.port ?? 0),
    closeIdle: () => server()?.closeIdleConnections() ?? 0,
    nowMs: () => performance.now(),
    sleep: Bun.sleep,
    onScarce: (closed) =>
      log(
        "error",
        "out of file descriptors: new requests are refused or wait; raise LimitNOFILE or ulimit -n",
        {
          idle_connections_closed: closed,
        },
      ),
    onError: logged("file descriptors could not be checked"),
  })
}

/** Keeps room for results on a disk that is full. */
function ballastOf(store: Store, { reasons, room }: Checks): Ballast {
  const { path } = store.found
  const file = ballastFileOf(path)
  return new Ballast({
    freeBytes: () => freeBytes(dirname(path)),
    isRefused: () => store.failure === "SQLITE_FULL",
    isThere: () => sizeOf(file) === BALLAST_BYTES,
    isEmptied: () => isEmptied(file),
    load: () => reserve(file, BALLAST_BYTES),
    drop: () => freeReserved(file),
    // On a full disk this can fail, too.
    checkpoint: () => store.upkeep.checkpoint().catch(() => undefined),
    onFull(isFull) {
      room.isDiskFull = isFull
      reasons.set("disk_full", isFull)
    },
    onError: logged("the reserve on the disk could not be kept"),
  })
}

/** Every check of the running server, in the order of their start. Each check notes what is wrong. */
export function healthChecksOf(store: Store, checked: Checks): readonly Service[] {
  const { reasons, loop, descriptors, broadcaster, bus, onReplaced } = checked
  const { path } = store.found
  return [
    new DatabaseCheck(store, reasons, {
      onReplaced,
      onError: logged("the database could not be checked"),
    }),
    loop,
    descriptors,
    // The disk of a PostgreSQL server is not on this machine.
    ...(isPostgres(path)
      ? []
      : [
          ballastOf(store, checked),
          new DiskLowWarning(reasons, {
            freeBytes: () => freeBytes(dirname(path)),
            onError: logged("the disk could not be checked"),
          }),
        ]),
    new MissedRings(reasons, {
      head: () => store.head(),
      heard: () => broadcaster.heard,
      steadyMs: () => performance.now(),
      lagMs: () => loop.lagMs,
      ring: () => bus.notify(),
      onError: logged(HISTORY_UNREAD),
    }),
  ]
}
