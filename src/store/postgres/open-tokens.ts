import { PostgresStore } from "./postgres.ts"

/**
 * Opens the tokens of the database at `url` for a command; instances may be running on it.
 * @throws AppError `unavailable`
 */
export async function openAccessBeside(url: string): Promise<Pick<PostgresStore, "access" | "close">> {
  return PostgresStore.open(url)
}
