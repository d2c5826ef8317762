import type { OpeningOptions } from "./open.ts"
import { PostgresStore } from "./postgres.ts"

/**
 * Opens the tokens of the database at `url` for a command; instances may be running on it. `onWaiting` is called
 * if PostgreSQL is unavailable.
 * @throws AppError `unavailable`
 */
export async function openAccessBeside(
  url: string,
  onWaiting: OpeningOptions["onWaiting"],
): Promise<Pick<PostgresStore, "access" | "close">> {
  return PostgresStore.open(url, { onWaiting })
}
