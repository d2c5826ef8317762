"use client"

/*
 * Live render progress in a Next.js app. Copy this file, and put the client and its types beside it, which every
 * server serves:
 *
 *   curl -f http://localhost:8080/client.js -o track-studio-client.js
 *   curl -f http://localhost:8080/client.d.ts -o track-studio-client.d.ts
 *
 *   import { ProgressMonitor, QueueItemCard } from "./nextjs-progress-monitor"
 *
 *   <ProgressMonitor />             every queue item, with its progress bar
 *   <QueueItemCard queueId={7} />   one item, until it is finished
 *
 * The server is NEXT_PUBLIC_TRACK_STUDIO_URL, else http://localhost:8080, unless a component is given `baseUrl`.
 *
 * Browsers allow six connections to one HTTP/1.1 server, over all tabs. For more than a few items on one page use
 * one `useProgressMonitor` and take what you need from its `items`.
 */

import { type ReactElement, useEffect, useId, useState } from "react"

import { Client } from "./track-studio-client"

const DEFAULT_BASE_URL = process.env.NEXT_PUBLIC_TRACK_STUDIO_URL ?? "http://localhost:8080"

/** Most items that are kept; beyond it the ones longest without news go, finished ones first. */
export const MAX_ITEMS = 200

export type Status = "queued" | "processing" | "completed" | "failed" | "retrying"

/** One change of a queue item, as the server sends it. Optional keys are there only when set. */
export interface ProgressUpdate {
  queue_id: number
  song_id: number
  status: Status
  current_step: string
  /** 0 to 100 */
  progress: number
  message: string
  error_message?: string
  /** RFC 3339, UTC */
  timestamp: string
  title?: string
  /** How many times the item was started. */
  attempt?: number
  outcome?: "completed" | "failed" | "cancelled" | "lost"
  eta_seconds?: number
  /** Being worked on, but without progress for too long. */
  stalled?: boolean
  /** The item was deleted; this is its last update. */
  deleted?: boolean
}

/**
 * How far to trust what is shown:
 * - `connecting`: nothing is known yet.
 * - `live`: the state of now; updates come as they happen.
 * - `reconnecting`: the connection was lost a moment ago; the state is that of then.
 * - `stale`: there has been no connection for 10 s or more; the state may be old.
 * - `ended`: the watched item is finished or deleted, and nothing more will come.
 *
 * A connection that dies silently (a cable pulled, a laptop asleep) stays `live` until the server has missed two
 * keepalives and 5 s, 35 s by default, or until the browser is online again.
 */
export type ConnectionState = "connecting" | "live" | "reconnecting" | "stale" | "ended"

/** Updates that were left out. The state was refreshed after it, so what is shown is right all the same. */
export interface Gap {
  /** `expired`: no longer kept. `unknown`: the server does not know where we were. `slow`: we read too slowly. `unreadable`: the server's database is damaged there. `restored`: a backup was put back. `rolled_back`: the database lost what it had acknowledged. */
  reason: "expired" | "unknown" | "slow" | "unreadable" | "restored" | "rolled_back"
  /** How many; null when that cannot be known. */
  missed: number | null
}

/** Everything that is known; never changed in place. */
export interface Progress {
  /** The latest update of each item by the item's ID, the latest news last. Deleted items are not in it. */
  items: ReadonlyMap<number, ProgressUpdate>
  connection: ConnectionState
  /** What was left out at the latest reconnect, if anything. */
  gap: Gap | null
  /** Why the server refuses to be watched, in its own words. */
  problem: string | null
  /** There were more than `MAX_ITEMS` items, so some are missing here. */
  truncated: boolean
}

/** Times in milliseconds. */
export interface Timing {
  /** A burst of updates costs one rendering in this time. */
  publishMs: number
  /** What is shown counts as stale after this long without a connection. */
  staleMs: number
}

const TIMING: Timing = { publishMs: 50, staleMs: 10_000 }

const NOTHING: Progress = {
  items: new Map(),
  connection: "connecting",
  gap: null,
  problem: null,
  truncated: false,
}

const isFinished = ({ status }: ProgressUpdate): boolean => status === "completed" || status === "failed"

/** What is watched: one queue item until it is finished, or all of them. */
export interface Target {
  /** The server's URL without a path. */
  baseUrl: string
  queueId?: number
}

/**
 * Watches until the returned function is called, and calls `onChange` with everything that is known, whenever that changes.
 * The hooks below stand on it; it needs no React.
 */
export function openProgress(
  { baseUrl, queueId }: Target,
  onChange: (progress: Progress) => void,
  timing: Timing = TIMING,
): () => void {
  const items = new Map<number, ProgressUpdate>()
  let { connection, gap, problem, truncated } = NOTHING
  let staleTimer: ReturnType<typeof setTimeout> | undefined
  let publishTimer: ReturnType<typeof setTimeout> | undefined
  const stopped = new AbortController()

  function publish(): void {
    publishTimer ??= setTimeout(() => {
      publishTimer = undefined
      onChange({ items: new Map(items), connection, gap, problem, truncated })
    }, timing.publishMs)
  }

  function keep(update: ProgressUpdate): void {
    // Out first, so that the latest news is last.
    items.delete(update.queue_id)
    if (!update.deleted) items.set(update.queue_id, update)
    if (items.size > MAX_ITEMS) {
      const [oldest] = items.values()
      const goes = [...items.values()].find(isFinished) ?? oldest
      if (goes) items.delete(goes.queue_id)
      truncated = true
    }
  }

  function lose(): void {
    if (connection === "live") {
      connection = "reconnecting"
      gap = null
    }
    staleTimer ??= setTimeout(() => {
      connection = "stale"
      publish()
    }, timing.staleMs)
  }

  function found(): void {
    clearTimeout(staleTimer)
    staleTimer = undefined
    connection = "live"
    problem = null
  }

  async function watch(): Promise<void> {
    const untilFinished = queueId !== undefined
    const stream = new Client(baseUrl).watch({ queueId, untilFinished, signal: stopped.signal })
    for await (const said of stream) {
      if (said.type === "update") keep(said.update)
      else if (said.type === "offline") {
        lose()
        // Without an answer, the state of the connection says so.
        problem = said.status === 0 ? null : said.reason
      } else if (said.control.event === "live") found()
      else if (said.control.event === "shutdown") lose()
      else if (said.control.event === "gap") {
        gap = { reason: said.control.reason, missed: said.control.missed }
        // After these come the items that changed, or what can be read; otherwise everything that is not finished.
        if (!["slow", "unreadable"].includes(said.control.reason)) {
          items.clear()
          truncated = false
        }
      }
      publish()
    }
  }

  void watch()
    // Refused for good: no such item, say.
    .catch((error: unknown) => (problem = error instanceof Error ? error.message : String(error)))
    .finally(() => {
      clearTimeout(staleTimer)
      if (stopped.signal.aborted) return
      connection = "ended"
      publish()
    })
  return () => {
    stopped.abort()
    clearTimeout(publishTimer)
  }
}

function useProgress(baseUrl: string, queueId?: number): Progress {
  const key = `${baseUrl} ${queueId}`
  const [seen, setSeen] = useState({ key, progress: NOTHING })
  useEffect(() => {
    const target = queueId === undefined ? { baseUrl } : { baseUrl, queueId }
    return openProgress(target, (progress) => setSeen({ key, progress }))
  }, [key, baseUrl, queueId])
  // What was seen of another target says nothing about this one.
  return seen.key === key ? seen.progress : NOTHING
}

/** The live state of all queue items that are not finished, and of those that finish meanwhile. */
export function useProgressMonitor(baseUrl: string = DEFAULT_BASE_URL): Progress {
  return useProgress(baseUrl)
}

/** What is known of one queue item. */
export interface ItemProgress extends Pick<Progress, "connection" | "gap" | "problem"> {
  /** Null before the first one came, and when the item was deleted; `connection` is then `ended`. */
  update: ProgressUpdate | null
}

/**
 * The live state of one queue item until it is finished; then the connection is closed, since a browser has few. An
 * item that is started again after that is not followed.
 */
export function useQueueItemMonitor(queueId: number, baseUrl: string = DEFAULT_BASE_URL): ItemProgress {
  const { items, connection, gap, problem } = useProgress(baseUrl, queueId)
  return { update: items.get(queueId) ?? null, connection, gap, problem }
}

/** All queue items with their progress bars. */
export function ProgressMonitor({ baseUrl }: { baseUrl?: string }): ReactElement {
  const progress = useProgressMonitor(baseUrl)
  const heading = useId()
  // By ID, so that rows stay where they are while their items take turns with news.
  const updates = [...progress.items.values()].sort((a, b) => a.queue_id - b.queue_id)
  return (
    <section aria-labelledby={heading}>
      <h2 id={heading}>Render queue</h2>
      <Connection {...progress} />
      {updates.length > 0 && (
        <ul style={{ listStyle: "none", padding: 0 }}>
          {updates.map((update) => (
            <li key={update.queue_id}>
              <Bar update={update} />
              <Words update={update} />
            </li>
          ))}
        </ul>
      )}
      {updates.length === 0 && progress.connection === "live" && <p>Nothing is waiting or being rendered.</p>}
      {progress.truncated && <p>There are more items; these are the {MAX_ITEMS} with the latest news.</p>}
    </section>
  )
}

/** One queue item, until it is finished. */
export function QueueItemCard({ queueId, baseUrl }: { queueId: number; baseUrl?: string }): ReactElement {
  const { update, ...stream } = useQueueItemMonitor(queueId, baseUrl)
  const isDeleted = update === null && stream.connection === "ended" && stream.problem === null
  return (
    <article aria-label={`Queue item ${queueId}`}>
      {update && <Bar update={update} />}
      {/* Steps are read out as they change; the percentage would never let a screen reader finish. */}
      <div aria-live="polite">
        {update && <Words update={update} />}
        {isDeleted && <p>Queue item {queueId} was deleted.</p>}
      </div>
      <Connection {...stream} />
    </article>
  )
}

function Bar({ update }: { update: ProgressUpdate }): ReactElement {
  const id = useId()
  const { queue_id, song_id, title, progress } = update
  return (
    <p>
      <label htmlFor={id}>
        #{queue_id} {title ?? `Song ${song_id}`}
      </label>{" "}
      <progress id={id} value={progress} max={100} /> {progress}%
    </p>
  )
}

const STATUS_WORDS: Record<Status, string> = {
  queued: "Waiting",
  processing: "In progress",
  completed: "Completed",
  failed: "Failed",
  retrying: "Waiting for another try",
}

function Words({ update }: { update: ProgressUpdate }): ReactElement {
  const { status, outcome, current_step, message, error_message, stalled } = update
  const state = outcome === "cancelled" ? "Cancelled" : STATUS_WORDS[status]
  return (
    <p>
      <strong>{state}</strong>
      {[current_step, message].filter((text) => text !== "").map((text) => ` · ${text}`)}
      {stalled && " · no progress for a while"}
      {error_message !== undefined && (
        <>
          <br />
          Error: {error_message}
        </>
      )}
    </p>
  )
}

const CONNECTION_WORDS: Record<ConnectionState, string> = {
  connecting: "Connecting…",
  live: "Live",
  reconnecting: "Connection lost, reconnecting…",
  stale: "No connection. What is shown may be old; still trying…",
  ended: "",
}

/** Always there, even when empty: a live region that appears together with its text is not read out. */
function Connection({
  connection,
  gap,
  problem,
}: Pick<Progress, "connection" | "gap" | "problem">): ReactElement {
  return (
    <p role="status">
      {CONNECTION_WORDS[connection]}
      {problem !== null && ` (${problem})`}
      {gap && ` ${gap.missed ?? "Some"} ${gap.missed === 1 ? "update was" : "updates were"} missed; `}
      {gap && "the state was refreshed."}
    </p>
  )
}
