import { digest, randomText } from "../../src/access/secret.ts"
import type { Role } from "../../src/store/contract/access.ts"
import { openAccessBeside } from "../../src/store/sqlite/open-tokens.ts"
import type { TestServer } from "../server.ts"

/** How often a test asks whether the server knows a token. The server knows it within a second. */
const LOOK_MS = 100

/** A token of this role on the database of a running server, made as the command makes it. */
export async function tokenOf(
  server: TestServer,
  role: Role,
  more: { readonly item?: number; readonly expiresAt?: string } = {},
): Promise<string> {
  const secret = `tsk_${randomText()}`
  const beside = openAccessBeside(server.database)
  const draft = { hash: digest(secret), label: "", role, item: more.item ?? null }
  await beside.access.addToken({ ...draft, expires_at: more.expiresAt ?? null })
  beside.close()
  return secret
}

/** The headers of a request with this token. */
export const bearer = (secret: string): Record<string, string> => ({ authorization: `Bearer ${secret}` })

/** Resolves when the server knows the token. From then on it refuses requests without one. */
export async function known(server: TestServer, secret: string): Promise<void> {
  const status = async (headers: Record<string, string>): Promise<number> => {
    const answer = await fetch(`${server.url}/api/v1/queue/999999`, { headers })
    await answer.arrayBuffer()
    return answer.status
  }
  // 429 after too many such requests.
  const isRefused = (code: number): boolean => code === 401 || code === 429
  // An address has 30 bad tokens: looked at faster than this, a later test would be refused for these looks.
  while ((await status({})) !== 401 || isRefused(await status(bearer(secret)))) await Bun.sleep(LOOK_MS)
}
