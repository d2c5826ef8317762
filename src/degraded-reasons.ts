/** What a reason to be degraded means, for people. */
interface Meaning {
  /** What is wrong in two or three words, for a badge. */
  readonly title: string
  /** What is wrong and what follows from it, then the way out, as one sentence. */
  readonly about: string
}

/** The reasons for which the server can be degraded, and what each means. */
export const DEGRADED = {
  database_unwritable: {
    title: "nothing can be saved",
    about:
      "the database cannot be written, so every change is refused (503); see that it can be reached, that it is not a standby, that its disk works, and that no other program holds it",
  },
  database_damaged: {
    title: "database damaged",
    about: "a part of the database cannot be read, so some requests fail; restore a backup",
  },
  file_replaced: {
    title: "database file gone",
    about:
      "the database, or a file that belongs to it (`-wal`, `-shm`, `.lock`), was replaced, moved or deleted while the server ran; put it back and start the server again",
  },
  wal_pinned: {
    title: "database held open",
    about:
      "another program holds an old state of the database open, so its write-ahead log grows; end that program",
  },
  database_full: {
    title: "database full",
    about:
      "the database has reached --max-database-mb; items, reports and retries are refused, and claims too if it is a tenth larger; results are stored; raise the limit",
  },
  database_filling: {
    title: "database nearly full",
    about:
      "the database has nearly reached --max-database-mb; the oldest finished history is deleted first; raise the limit to keep more",
  },
  disk_full: {
    title: "disk full",
    about:
      "the disk of the database is full; new items, reports and claims of new work are refused, results are stored until 8 MiB are used up; make room on it",
  },
  disk_low: {
    title: "disk nearly full",
    about: "the disk of the database has less than 256 MiB left; make room on it",
  },
  proxy_untrusted: {
    title: "unknown proxy",
    about:
      "requests came through a proxy that --trusted-proxy does not name, within the last 10 minutes, so all of its clients count as one; name it there",
  },
  backup_failed: {
    title: "backup failed",
    about: "the latest backup could not be made; the log says why",
  },
  descriptors_exhausted: {
    title: "too many open files",
    about:
      "almost no file descriptors are left, so new requests are refused or wait; raise the limit (LimitNOFILE, ulimit -n)",
  },
  bell_lost: {
    title: "servers out of touch",
    about:
      "notifications of the other instances do not arrive; this one checks for updates itself, 4 times a second; see that it reaches what carries them: PostgreSQL, or the Redis that --bus names",
  },
  history_unreadable: {
    title: "history damaged",
    about: "a part of the history cannot be read; streams announce it with a gap; restore a backup",
  },
  webhooks_failing: {
    title: "webhook fails",
    about:
      "a webhook does not accept its deliveries; they are tried again; see that its receiver runs and accepts them",
  },
  bell_deaf: {
    title: "updates come late",
    about:
      "the streams missed updates that were stored; they are read again every 5 s; start the server again",
  },
  event_loop_lag: {
    title: "server overloaded",
    about:
      "the server was busy for 5 s or more without a pause, within the last 15 s; if this goes on, give it more of the processor",
  },
  clock_jumped: {
    title: "clock jumped",
    about:
      "the machine's clock jumped by 10 s or more, within the last 10 minutes; see that it is set right (NTP)",
  },
  draining: {
    title: "server is stopping",
    about: "the server is about to stop; wait until it runs again",
  },
} as const satisfies Readonly<Record<string, Meaning>>

/** The name of such a reason, as `/health` answers it. */
export type Reason = keyof typeof DEGRADED

/** The reasons for which `/health/ready` fails: the server cannot do its work, and should get no requests. */
export const UNREADY: readonly Reason[] = [
  "database_unwritable",
  "file_replaced",
  "database_full",
  "disk_full",
  "descriptors_exhausted",
  "bell_deaf",
  "event_loop_lag",
  "draining",
]

/** A reason that holds. */
export interface HeldReason {
  /** Its name. */
  readonly reason: Reason
  /** Since when it holds, RFC 3339 UTC. */
  readonly since: string
  /** Further details, such as SQLite's code; empty if there are none. */
  readonly detail: string
}

/** Called when a reason begins to hold, or when it no longer holds after `forMs` milliseconds. */
type OnChange = (held: HeldReason, holds: boolean, forMs: number) => void

/** What is wrong with the server now: its parts report it here, and the health routes show it. */
export class Reasons {
  /** The reasons that hold, and when each began, in milliseconds of `performance.now()`. */
  readonly #held = new Map<Reason, { readonly held: HeldReason; readonly beganMs: number }>()
  readonly #onChange: OnChange

  /** `onChange` is called when a reason begins to hold, and when it no longer does; by default nothing is. */
  constructor(onChange: OnChange = () => {}) {
    this.#onChange = onChange
  }

  /**
   * Records that a reason holds from now on, or no longer does. If it is recorded again, only the detail
   * changes.
   */
  set(reason: Reason, holds: boolean, detail = ""): void {
    const known = this.#held.get(reason)
    // Measured with a clock that does not jump, because a jump is a reason, too.
    const nowMs = performance.now()
    if (holds) {
      const held = { reason, since: known?.held.since ?? new Date().toISOString(), detail }
      this.#held.set(reason, { held, beganMs: known?.beganMs ?? nowMs })
      if (!known) this.#onChange(held, true, 0)
    } else if (known) {
      this.#held.delete(reason)
      this.#onChange(known.held, false, nowMs - known.beganMs)
    }
  }

  /** The names of the reasons that hold now, the oldest first; empty while all is well. */
  get current(): Reason[] {
    return [...this.#held.keys()]
  }

  /** The reasons that hold now, the oldest first. */
  get held(): readonly HeldReason[] {
    return [...this.#held.values()].map(({ held }) => held)
  }
}
