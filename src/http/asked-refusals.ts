import { Type } from "@sinclair/typebox"

import { AppError, ASKED_REFUSALS } from "../errors.ts"
import { OneOf } from "../item/schema-parts.ts"
import type { Admission } from "./admission.ts"
import { api } from "./api.ts"
import { words } from "./docs/words.ts"

const Params = Type.Object({ code: OneOf(ASKED_REFUSALS, "the code of the refusal to answer with") })

/** Refuses a request for a reason that it names, so that a client sees whether refusals arrive whole. */
export const askedRefusalRoute = (access: Admission) =>
  api("/refusals")
    .use(access)
    .get(
      "/:code",
      ({ params: { code } }): never => {
        throw new AppError(code, "this refusal was asked for", { retryAfterMs: 1000 })
      },
      {
        params: Params,
        ...words({
          id: "getRefusal",
          tag: "Server",
          summary: "Get a refusal",
          about:
            "The answer is always a refusal: `track-studio doctor` looks whether a proxy passes it on with its status, its text and its headers.",
          successes: [],
          refusals: ASKED_REFUSALS,
        }),
      },
    )
