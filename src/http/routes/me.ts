import { rightsOf } from "../../access/roles.ts"
import { AppError } from "../../errors.ts"
import { Me } from "../../wire/answers.ts"
import { API } from "../api.ts"
import type { AppWithCaller } from "../caller-of-request.ts"
import { json, words } from "../docs/words.ts"

/** Tells a caller its role and its rights, so that a client offers only what the server will allow. */
export const meRoute = (app: AppWithCaller) =>
  app.get(
    `${API}/me`,
    async ({ caller: { role, item, token } }): Promise<Me> => {
      if (role === "nobody") throw new AppError("unauthorized", "a caller without a token has no role")
      return {
        role,
        item: item ?? null,
        expires_at: token?.expires_at ?? null,
        may: rightsOf({ role, item }),
      }
    },
    words({
      id: "getMe",
      tag: "Access",
      summary: "Get your role and what it may do",
      about:
        "On a server without tokens every caller on its machine is an admin. A client can ask this first, to offer only what is allowed.",
      successes: [json("the role and what it may do", Me)],
    }),
  )
