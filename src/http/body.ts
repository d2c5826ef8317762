import { Elysia } from "elysia"

import { AppError } from "../errors.ts"

/** Largest JSON body, in bytes. */
export const MAX_BODY_BYTES = 64 * 1024

const tooLarge = (): AppError =>
  new AppError("too_large", `the body is larger than ${MAX_BODY_BYTES} bytes, the most that is allowed`)

/** Reads a body of unknown length, and no further than is allowed. */
async function readBounded(request: Request): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString("utf8")
}

const isAbsent = (request: Request): boolean =>
  request.body === null || request.headers.get("content-length") === "0"

async function parse(request: Request, contentType: string): Promise<unknown> {
  if (contentType !== "application/json") {
    throw new AppError(
      "unsupported_media_type",
      `the body must be application/json, not ${contentType || "without a content-type"}`,
    )
  }
  const length = request.headers.get("content-length")
  if (Number(length) > MAX_BODY_BYTES) throw tooLarge()
  const text = length === null ? await readBounded(request) : await request.text()
  try {
    const body: unknown = JSON.parse(text)
    return body
  } catch (error) {
    const reason = error instanceof Error ? error.message : "cannot be parsed"
    throw new AppError(
      "malformed_json",
      text === "" ? "the body is empty" : `the body is not valid JSON: ${reason}`,
    )
  }
}

/**
 * Parses JSON bodies of at most 64 KiB, for the instance that uses it.
 * @throws AppError `unsupported_media_type`, `too_large`, `malformed_json`
 */
export const jsonBody = new Elysia({ name: "json-body" }).onParse(
  { as: "scoped" },
  // A DELETE has no body, and some clients say so with a length of 0.
  async ({ request, contentType }) => (request.method === "DELETE" ? undefined : parse(request, contentType)),
)

/** As `jsonBody`, where a body may be left out: that counts as `{}`. */
export const optionalJsonBody = new Elysia({ name: "optional-json-body" }).onParse(
  { as: "scoped" },
  async ({ request, contentType }) => (isAbsent(request) ? {} : parse(request, contentType)),
)
