import { type Static, Type } from "@sinclair/typebox"

import type { Client, Held } from "../client/client.ts"
import { Result } from "../item/item.ts"
import { FailRequest } from "../wire/requests.ts"

/** How a worker ends its lease: the item is completed, its attempt failed, or it goes back to the queue. */
export const Verdict = Type.Union([
  Type.Object({
    end: Type.Literal("complete"),
    /** What is entered into the item; `{}` for nothing. */
    result: Result,
  }),
  Type.Object({
    end: Type.Literal("fail"),
    /** The reason, and whether another attempt makes sense. */
    failure: FailRequest,
  }),
  Type.Object({ end: Type.Literal("release") }),
])
export type Verdict = Static<typeof Verdict>

/** Ends the lease with this verdict. A repetition changes nothing. @throws ServerError */
export async function deliver(client: Client, held: Held, verdict: Verdict): Promise<void> {
  if (verdict.end === "complete") await client.complete(held, verdict.result)
  else if (verdict.end === "fail") await client.fail(held, verdict.failure)
  else await client.release(held)
}

/** A verdict in one word. */
export const wordOf = ({ end }: Verdict): string =>
  ({ complete: "completed", fail: "failed", release: "returned to the queue" })[end]
