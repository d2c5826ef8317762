/** What a code of a refusal means to a client. */
interface Meaning {
  /** The HTTP status that carries it. */
  readonly status: number
  /** What it means, for the reference: one clause, without a full stop. */
  readonly reason: string
}

/**
 * Every reason for which a request can be refused: the closed set of codes, each with its HTTP status and
 * meaning. A new code is added only here: its type, the answers and the reference are made from this table.
 */
export const REFUSALS = {
  malformed_json: { status: 400, reason: "the body is not valid JSON" },
  malformed_request: { status: 400, reason: "the request has several hosts" },
  unauthorized: {
    status: 401,
    reason: "a token is missing or not valid; the error says how to send one",
  },
  forbidden: {
    status: 403,
    reason:
      "the role of the token does not allow it, or pages of this origin may neither change anything nor open a WebSocket",
  },
  not_found: { status: 404, reason: "what the path names does not exist" },
  method_not_allowed: { status: 405, reason: "the path takes other methods; `Allow` names them" },
  illegal_move: {
    status: 409,
    reason: "the item's status does not allow it; the error names what is allowed",
  },
  leased: { status: 409, reason: "a worker holds the item, and only its lease may change this" },
  lease_lost: { status: 409, reason: "the caller no longer holds the lease: the worker must stop" },
  gone: { status: 410, reason: "the item was deleted, or the lease was revoked: its worker must stop" },
  too_large: { status: 413, reason: "the body is larger than allowed" },
  unsupported_media_type: { status: 415, reason: "the body is not `application/json`, or is compressed" },
  misdirected: {
    status: 421,
    reason: "the server does not answer to this host name; `--allowed-host` adds names",
  },
  invalid: {
    status: 422,
    reason: "a value, key or parameter is wrong; the error names it and what is allowed",
  },
  upgrade_required: { status: 426, reason: "the endpoint needs a WebSocket upgrade" },
  idempotency_mismatch: { status: 422, reason: "the `Idempotency-Key` was used with another body" },
  too_many_requests: {
    status: 429,
    reason: "the client sends too many requests; `Retry-After` says when to continue",
  },
  internal: { status: 500, reason: "the server failed; its log has the reason under the `request_id`" },
  unavailable: {
    status: 503,
    reason:
      "the server cannot do this now; nothing was changed if the error says so, otherwise read what you wanted to change before you repeat it; `Retry-After` says when to try again",
  },
} as const satisfies Readonly<Record<string, Meaning>>

/** The code of a refusal. */
export type ErrorCode = keyof typeof REFUSALS

/** Refusals that the server gives on request, so that a client sees whether they arrive whole. */
export const REFUSALS_ON_DEMAND = [
  "unauthorized",
  "illegal_move",
  "gone",
  "too_large",
  "too_many_requests",
  "unavailable",
] as const satisfies readonly ErrorCode[]

/** The code of such a refusal. */
export type AskedRefusal = (typeof REFUSALS_ON_DEMAND)[number]

/**
 * The one error that is meant to be read by a user.
 *
 * The message says what is wrong, with which id, and what is allowed; it carries no internals. Any other
 * error that is thrown is a defect or a fault of the machine: it is logged, and the client gets `internal`.
 */
export class AppError extends Error {
  /** Why the request was refused, for programs. */
  readonly code: ErrorCode
  /** Milliseconds after which a new try makes sense; undefined if that is not known. */
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, message: string, options?: ErrorOptions & { readonly retryAfterMs?: number }) {
    // It may quote a part of what was sent, cut within a character.
    super(message.toWellFormed(), options)
    this.name = "AppError"
    this.code = code
    this.retryAfterMs = options?.retryAfterMs
  }
}

/** Whether what was thrown is a refusal for this reason. */
export const isRefusal = (error: unknown, code: ErrorCode): boolean =>
  error instanceof AppError && error.code === code

/** The error for an item that does not exist, was deleted, or must not be known to the caller. */
export const unknownItem = (id: number | string): AppError =>
  new AppError("not_found", `queue item ${id} does not exist`)

/** The message of anything that was thrown. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** The code of anything that was thrown, such as `ENOENT`; empty if it has none. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : ""

/** Errors for too many open files or processes, or too little memory. */
const SHORTAGES: readonly string[] = ["EMFILE", "ENFILE", "EAGAIN", "ENOMEM"]

/** Whether an error passes when other programs end: too many files or processes are there, or too little memory is free. */
export const isShortage = (error: unknown): boolean => SHORTAGES.includes(codeOf(error))
