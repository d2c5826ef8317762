/** Every reason for which a request can be refused; `http/errors.ts` gives each its HTTP status. */
export type ErrorCode =
  | "malformed_json"
  | "forbidden"
  | "not_found"
  | "method_not_allowed"
  | "illegal_move"
  | "leased"
  | "lease_lost"
  | "gone"
  | "too_large"
  | "unsupported_media_type"
  | "invalid"
  | "upgrade_required"
  | "idempotency_mismatch"
  | "internal"
  | "unavailable"

/**
 * The one error that is meant to be read by a user.
 *
 * The message says what is wrong, with which id, and what is allowed; it carries no internals. Any other error
 * that is thrown is a defect or a fault of the machine: it is logged, and the client gets `internal`.
 */
export class AppError extends Error {
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = "AppError"
    this.code = code
  }
}
