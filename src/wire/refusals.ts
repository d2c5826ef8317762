import type { ErrorCode } from "../errors.ts"

/** The HTTP status of each reason for a refusal. */
export const STATUS: Readonly<Record<ErrorCode, number>> = {
  malformed_json: 400,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  illegal_move: 409,
  leased: 409,
  lease_lost: 409,
  gone: 410,
  too_large: 413,
  unsupported_media_type: 415,
  invalid: 422,
  upgrade_required: 426,
  idempotency_mismatch: 422,
  internal: 500,
  unavailable: 503,
}

/** What each reason for a refusal means, for the reference. */
export const REASONS: Readonly<Record<ErrorCode, string>> = {
  malformed_json: "the body is no valid JSON",
  forbidden: "pages of this origin may not call the server",
  not_found: "there is no such item, or nothing at this path",
  method_not_allowed: "the path takes other methods; `Allow` names them",
  illegal_move: "the item's status does not allow it; the error names what is allowed",
  leased: "a worker holds the item, and only its lease may change this",
  lease_lost: "the lease is not the caller's any more: the worker must stop",
  gone: "the item was deleted: its worker must stop",
  too_large: "the body is larger than allowed",
  unsupported_media_type: "the body is not `application/json`",
  invalid: "a value, key or parameter is wrong; the error names it and what is allowed",
  upgrade_required: "this is for WebSockets",
  idempotency_mismatch: "the `Idempotency-Key` was used with another body",
  internal: "the server failed; its log has the reason under the `request_id`",
  unavailable: "not now, and nothing was changed; `Retry-After` says when to ask again",
}
