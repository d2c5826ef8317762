import { AppError } from "../errors.ts"
import { piecesOf } from "./body-silence-limit.ts"
import type { BodyTimeLimit } from "./body-time-limit.ts"
import type { ChargeBody, Matched } from "./caller-of-request.ts"
import { inexactMetadata } from "./exact-numbers.ts"
import { dropBody, noteEnd } from "./unread-body.ts"

/** The largest JSON body, in bytes. */
const MAX_BODY_BYTES = 64 * 1024
/** How deep lists and objects may be nested. Metadata has a lower limit of its own. */
const MAX_LEVELS = 64

const tooLarge = (): AppError =>
  new AppError("too_large", `the body is larger than ${MAX_BODY_BYTES} bytes, the most that is allowed`)

/** Reads a body of unknown length, but never more than the limit. */
async function readBounded(request: Request): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of piecesOf(request)) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** @throws AppError `invalid` if the body is too deep, or has a number that could not be returned exactly */
function checked(body: unknown, text: string): unknown {
  // If a body is invalid, the framework prints the value with its levels indented. For a deep value that
  // would take seconds and gigabytes.
  if (isDeeper(body, MAX_LEVELS)) {
    throw new AppError("invalid", `the body has more than ${MAX_LEVELS} levels, the most that is allowed`)
  }
  const inexact = inexactMetadata(text)
  if (inexact !== undefined) throw new AppError("invalid", `${inexact}; send it as text`)
  return body
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true })

function parsed(bytes: Uint8Array): unknown {
  if (bytes.length === 0) throw new AppError("malformed_json", "the body is empty")
  try {
    const text = strictUtf8.decode(bytes)
    return checked(JSON.parse(text), text)
  } catch (error) {
    if (error instanceof AppError) throw error
    // The decoder throws a TypeError, the parser a SyntaxError.
    const reason =
      error instanceof SyntaxError ? `JSON: ${error.message.replace(/^JSON Parse error: /, "")}` : "UTF-8"
    throw new AppError("malformed_json", `the body is not valid ${reason}`)
  }
}

/**
 * Whether a value is nested deeper than `levels`. It looks no deeper than that, so a very deep value costs no
 * more.
 */
function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false
  if (levels === 0) return true
  // This is a loop because the engine takes long to compile a function that calls itself. To list the values of a long
  // array takes longer than to parse it.
  for (const inner of Array.isArray(value) ? value : Object.values(value)) {
    if (typeof inner === "object" && inner !== null && isDeeper(inner, levels - 1)) return true
  }
  return false
}

/** Reads a body whose length is known. */
async function readKnown(request: Request): Promise<Uint8Array> {
  const bytes = await request.bytes()
  noteEnd(request)
  return bytes
}

/** @throws AppError `unsupported_media_type` */
function checkType(request: Request): void {
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase()
  if (type === "application/json") return
  const found = type ? `it is ${type.slice(0, 60)}` : "there is no content-type"
  throw new AppError("unsupported_media_type", `the body must be application/json; ${found}`)
}

async function readJson(request: Request, charge: ChargeBody, inTime: BodyTimeLimit): Promise<unknown> {
  checkType(request)
  const length = request.headers.get("content-length")
  if (Number(length) > MAX_BODY_BYTES) throw tooLarge()
  const bytes = await inTime(length === null ? readBounded(request) : readKnown(request))
  await charge(bytes.length)
  return parsed(bytes)
}

/**
 * What the framework knows about a request whose body is read. Functions that take it name each member, because the
 * framework reads in their text what they need.
 */
interface RequestWithBody extends Matched {
  /** Lets the caller in, before its body is read. */
  readonly letIn: (matched: Matched) => ChargeBody
  /** Limits the time for which the body is read. */
  readonly inTime: BodyTimeLimit
}

/**
 * Reads a JSON body of at most 64 KiB and 64 levels, after the caller was let in: the `parse` of routes that take one.
 * @throws AppError the refusal of the authorizer, `unsupported_media_type`, `too_large`, `malformed_json`,
 * `invalid`
 */
export async function jsonBody({
  request,
  query,
  params,
  route,
  letIn,
  inTime,
}: RequestWithBody): Promise<unknown> {
  const charge = letIn({ request, query, params, route })
  // A DELETE has no body, but some clients send a length of 0. If this returned undefined, the framework
  // would parse the body itself.
  if (request.method !== "DELETE") return readJson(request, charge, inTime)
  await dropBody(request)
  return null
}

/** Like `readJson`; a body that is sent in chunks without any content counts as `{}`, whatever its type is. */
async function readOptionalJson(
  request: Request,
  charge: ChargeBody,
  inTime: BodyTimeLimit,
): Promise<unknown> {
  if (request.headers.has("content-length")) return readJson(request, charge, inTime)
  const bytes = await inTime(readBounded(request))
  if (bytes.length === 0) return {}
  checkType(request)
  await charge(bytes.length)
  return parsed(bytes)
}

/** Like `jsonBody`, but the body is optional. A missing body, or one of length 0, counts as `{}`. */
export async function optionalJsonBody({
  request,
  query,
  params,
  route,
  letIn,
  inTime,
}: RequestWithBody): Promise<unknown> {
  const charge = letIn({ request, query, params, route })
  return request.body === null ? {} : readOptionalJson(request, charge, inTime)
}
