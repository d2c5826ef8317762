import { digest, randomText } from "./access/secret.ts"
import type { Access } from "./store/access.ts"

/** The tokens of a database. */
export interface OpenAccess {
  /** The tokens themselves. */
  readonly access: Access
  /** SHA-256 of a text, in hex. */
  readonly digest: (text: string) => string
  /** A new token. */
  readonly newSecret: () => string
  /** Closes the database. */
  close(): void
}

/**
 * Opens the tokens of a database file for a command, beside a server that may be running on it.
 * @throws AppError `unavailable`
 */
export async function openAccess(database: string): Promise<OpenAccess> {
  // Loaded here, so that commands that talk to a server do not pay for it.
  const { openAccessBeside } = await import("./store/sqlite/beside.ts")
  const { access, close } = openAccessBeside(database)
  return { access, close, digest, newSecret: () => `tsk_${randomText()}` }
}
