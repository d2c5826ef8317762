/**
 * An answer that is no success; `code` and `requestId` are the server's, empty where something else answered.
 * `status` is 0 where nobody did. `retryAfterMs` is how long the answer asks to wait; 0 where it does not say.
 */
export class ServerError extends Error {
  readonly status: number
  readonly code: string
  readonly requestId: string
  readonly retryAfterMs: number

  constructor(
    status: number,
    message: string,
    code = "",
    requestId = "",
    options?: ErrorOptions & { readonly retryAfterMs?: number },
  ) {
    super(message, options)
    this.name = "ServerError"
    this.status = status
    this.code = code
    this.requestId = requestId
    this.retryAfterMs = options?.retryAfterMs ?? 0
  }

  /** Whether asking again would be answered alike. */
  get isFinal(): boolean {
    return this.status >= 400 && this.status < 500 && ![408, 425, 429].includes(this.status)
  }
}

/** The error that an answer stands for; reads its body. */
export async function serverErrorOf(answer: Response): Promise<ServerError> {
  const { status } = answer
  const retryAfterS = Number(answer.headers.get("retry-after") ?? 0)
  const options = { retryAfterMs: retryAfterS > 0 ? retryAfterS * 1000 : 0 }
  try {
    const { error, code, request_id }: Record<string, unknown> = JSON.parse(await answer.text())
    if (typeof error === "string")
      return new ServerError(status, error, String(code), String(request_id), options)
  } catch {
    // Not our envelope: a proxy spoke.
  }
  return new ServerError(status, `the server answered ${status}`, "", "", options)
}
