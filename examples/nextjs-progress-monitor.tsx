"use client"

/*
 * Live render progress in a Next.js app. Copy this file; it needs React and nothing else.
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
 * A connection that dies without a word (a cable pulled, a laptop asleep) stays `live` until the browser notices or
 * is online again: the server's keepalives are comments, and scripts never see those.
 */
export type ConnectionState = "connecting" | "live" | "reconnecting" | "stale" | "ended"

/** Updates that were left out. The state was refreshed after it, so what is shown is right all the same. */
export interface Gap {
  /** `expired`: no longer kept. `unknown`: the server does not know where we were. `slow`: we read too slowly. */
  reason: "expired" | "unknown" | "slow"
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
  /** Pause before a refused stream is asked for again; doubles each time, up to `maxReopenMs`. */
  reopenMs: number
  maxReopenMs: number
}

const TIMING: Timing = { publishMs: 50, staleMs: 10_000, reopenMs: 1000, maxReopenMs: 30_000 }

const NOTHING: Progress = {
  items: new Map(),
  connection: "connecting",
  gap: null,
  problem: null,
  truncated: false,
}

const isFinished = ({ status }: ProgressUpdate): boolean => status === "completed" || status === "failed"

/**
 * Watches a progress stream until the returned function is called, and tells `onChange` everything that is known
 * whenever that changes. The hooks below stand on it; it needs no React.
 *
 * EventSource reconnects by itself after a broken connection, but gives up for good when it is answered with an
 * error, as by a proxy while the server restarts. Then a new one is opened, after a pause that grows. A new one
 * cannot send the `Last-Event-ID` header, so the URL says where to go on.
 */
export function openProgress(
  url: string,
  onChange: (progress: Progress) => void,
  timing: Timing = TIMING,
): () => void {
  const items = new Map<number, ProgressUpdate>()
  let { connection, gap, problem, truncated } = NOTHING

  let source: EventSource | undefined
  let lastEventId = ""
  let history: string | undefined
  // Whether all items come from the stream that is open, rather than some from the one before.
  let refreshed = true
  let { reopenMs } = timing
  let reopenTimer: ReturnType<typeof setTimeout> | undefined
  let staleTimer: ReturnType<typeof setTimeout> | undefined
  let publishTimer: ReturnType<typeof setTimeout> | undefined
  const stopped = new AbortController()

  function publish(): void {
    publishTimer ??= setTimeout(() => {
      publishTimer = undefined
      onChange({ items: new Map(items), connection, gap, problem, truncated })
    }, timing.publishMs)
  }

  const address = (): string =>
    lastEventId === "" ? url : `${url}${url.includes("?") ? "&" : "?"}last_event_id=${lastEventId}`

  function open(): void {
    clearTimeout(reopenTimer)
    source?.close()
    const opened = new EventSource(address())
    source = opened
    opened.onopen = () => {
      refreshed = lastEventId === ""
    }
    opened.onmessage = (event: MessageEvent<string>) => {
      lastEventId = event.lastEventId
      keep(JSON.parse(event.data))
    }
    opened.addEventListener("gap", onGap)
    opened.addEventListener("live", onLive)
    opened.addEventListener("end", finish)
    opened.addEventListener("shutdown", lose)
    opened.onerror = () => {
      lose()
      // While it is CONNECTING the browser tries again by itself, with the right last event ID.
      if (opened.readyState === EventSource.CLOSED) void reopen()
    }
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
    publish()
  }

  function forget(): void {
    items.clear()
    truncated = false
  }

  function onGap(event: MessageEvent<string>): void {
    const told: Gap = JSON.parse(event.data)
    gap = { reason: told.reason, missed: told.missed }
    // After `slow` come the items that changed; otherwise comes everything that is not finished.
    if (told.reason !== "slow") {
      forget()
      refreshed = true
    }
    publish()
  }

  function onLive(event: MessageEvent<string>): void {
    const told: { history: string } = JSON.parse(event.data)
    const isOther = history !== undefined && history !== told.history
    history = told.history
    if (isOther && !refreshed) {
      // The server has another database: neither our items nor our last event ID mean anything there.
      forget()
      lastEventId = ""
      open()
    } else {
      lastEventId = event.lastEventId
      ;({ reopenMs } = timing)
      clearTimeout(staleTimer)
      staleTimer = undefined
      connection = "live"
      problem = null
    }
    publish()
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
    publish()
  }

  /** Opens again after a pause. EventSource hides why it was refused, so this asks for the reason. */
  async function reopen(): Promise<void> {
    let pauseMs = reopenMs * (0.5 + Math.random() / 2)
    reopenMs = Math.min(reopenMs * 2, timing.maxReopenMs)
    const asked = new AbortController()
    const signal = AbortSignal.any([stopped.signal, asked.signal])
    try {
      const answer = await fetch(address(), { signal })
      // "No content": the item is finished, and its last update was the last we saw.
      if (answer.status === 204) return finish()
      problem = answer.ok ? null : await reasonOf(answer)
      pauseMs = Math.max(pauseMs, Number(answer.headers.get("retry-after")) * 1000 || 0)
    } catch {
      // No answer at all; the state of the connection says that much.
      problem = null
    }
    asked.abort()
    // Meanwhile it may be over, or open again.
    if (stopped.signal.aborted || source?.readyState !== EventSource.CLOSED) return
    publish()
    reopenTimer = setTimeout(open, pauseMs)
  }

  function finish(): void {
    if (stopped.signal.aborted) return
    stop()
    connection = "ended"
    problem = null
    publish()
  }

  function stop(): void {
    stopped.abort()
    source?.close()
    clearTimeout(reopenTimer)
    clearTimeout(staleTimer)
  }

  open()
  // The old connection may be dead without knowing it; to open another loses nothing.
  addEventListener("online", open, { signal: stopped.signal })
  return () => {
    stop()
    clearTimeout(publishTimer)
  }
}

/** The server's own sentence, or its status where something else answered. */
async function reasonOf(answer: Response): Promise<string> {
  try {
    const { error }: { error?: unknown } = await answer.json()
    if (typeof error === "string") return error
  } catch {
    // Not JSON: a proxy spoke.
  }
  return `the server answered ${answer.status}`
}

function useProgress(url: string): Progress {
  const [seen, setSeen] = useState({ url, progress: NOTHING })
  useEffect(() => openProgress(url, (progress) => setSeen({ url, progress })), [url])
  // What was seen at another URL says nothing about this one.
  return seen.url === url ? seen.progress : NOTHING
}

const apiOf = (baseUrl: string): string => `${baseUrl.replace(/\/+$/, "")}/api/v1`

/** The live state of all queue items that are not finished, and of those that finish meanwhile. */
export function useProgressMonitor(baseUrl: string = DEFAULT_BASE_URL): Progress {
  return useProgress(`${apiOf(baseUrl)}/progress/stream`)
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
  const { items, connection, gap, problem } = useProgress(
    `${apiOf(baseUrl)}/progress/stream/${queueId}?until=finished`,
  )
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
  const isDeleted = update === null && stream.connection === "ended"
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
