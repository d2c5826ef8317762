import { ErrorLog } from "../log.ts"

/** The server's own errors in its log: an error that comes again is counted, and logged once in a while. */
export const errors = new ErrorLog()

/** Logs one of the server's own errors under this message; for `onError`. */
export const logged =
  (message: string) =>
  (error: unknown): void =>
    errors.log(message, error)
