import { type Static, Type } from "@sinclair/typebox"

import { AppError, REFUSALS_ON_DEMAND } from "../../errors.ts"
import { OneOf } from "../../item/schema-parts.ts"
import { API } from "../api.ts"
import type { AppWithCaller } from "../caller-of-request.ts"
import { words } from "../docs/words.ts"

const Params = Type.Object({ code: OneOf(REFUSALS_ON_DEMAND, "the code of the refusal to answer with") })

const refuse = ({ params: { code } }: { params: Static<typeof Params> }): never => {
  throw new AppError(code, "this refusal was asked for", { retryAfterMs: 1000 })
}

const described = (id: string, summary: string, more = "") => ({
  params: Params,
  ...words({
    id,
    tag: "Server",
    summary,
    about: `The answer is always a refusal: \`track-studio doctor\` looks whether a proxy passes it on with its status, its text and its headers.${more}`,
    successes: [],
    refusals: REFUSALS_ON_DEMAND,
  }),
})

/** Refuses a request for a reason that it names, so that a client sees whether refusals arrive whole. */
export const refusalOnDemandRoute = (app: AppWithCaller) =>
  app
    .get(`${API}/refusals/:code`, refuse, described("getRefusal", "Get a refusal"))
    .post(
      `${API}/refusals/:code`,
      refuse,
      described(
        "postForRefusal",
        "Get a refusal of a POST",
        " Some proxies believe that the server is gone when a GET is answered with 503, and do not when a POST is.",
      ),
    )
