import type { ErrorCode } from "../errors.ts"
import type { StoredUpdate } from "../item/item.ts"

/** What the server tells about the stream itself; always JSON data, never named open, error or message. */
export type Control =
  | { readonly name: "live"; readonly last_event_id: number; readonly history: string }
  | {
      readonly name: "gap"
      readonly reason: "expired" | "unknown" | "slow"
      readonly last_event_id: number | string
      /** How many updates were left out; null when that cannot be known. */
      readonly missed: number | null
    }
  | { readonly name: "end"; readonly last_event_id: number; readonly status: string }
  | { readonly name: "shutdown"; readonly retry_ms: number }
  /** Which items the viewer has chosen, after a change of the choice. */
  | { readonly name: "watching"; readonly ids: readonly number[] }
  /** What the viewer asked was refused, and changed nothing. */
  | {
      readonly name: "refused"
      readonly error: string
      readonly code: ErrorCode
      readonly request_id: string
    }

/** What a stream says, before it is bytes. */
export type Frame =
  | { readonly type: "hello"; readonly retryMs: number }
  | { readonly type: "update"; readonly update: StoredUpdate }
  | { readonly type: "control"; readonly control: Control }
  | { readonly type: "keepalive" }

/** A control frame. */
export const tell = (control: Control): Frame => ({ type: "control", control })
