import type { Workers } from "../../queue/workers.ts"
import { StepAnswer, WorkerAnswer } from "../../wire/answers.ts"
import { StepsRequest } from "../../wire/requests.ts"
import { API } from "../api.ts"
import { jsonBody } from "../body.ts"
import type { AppWithCaller } from "../caller-of-request.ts"
import { json, words } from "../docs/words.ts"
import { ItemParams, LEASE, leaseOf, LeaseParams } from "../request-parameters.ts"
import { workerAnswer } from "./claim-and-report.ts"

/** The steps of a render: declared once, and begun one after the other. */
export const stepRoutes = (app: AppWithCaller, workers: Workers) =>
  app
    .post(
      `${API}/queue/:id/steps/next`,
      async ({ params: { id }, query, request }): Promise<StepAnswer> => {
        const { step, ...standing } = await workers.beginStep(Number(id), leaseOf(request, query))
        return { ...workerAnswer(standing), step }
      },
      {
        params: ItemParams,
        query: LeaseParams,
        ...words({
          id: "beginStep",
          tag: "Workers",
          summary: "Begin the next step",
          about:
            "Begins the first declared step that has not begun, and answers with it; `step` is null, and nothing changes, if no step is left or none was declared. Renews the lease.",
          headers: LEASE,
          successes: [json("the step that has begun", StepAnswer)],
          refusals: ["leased", "lease_lost", "gone", "illegal_move"],
        }),
      },
    )
    .post(
      `${API}/queue/:id/steps`,
      async ({ params: { id }, body, query, request }): Promise<WorkerAnswer> =>
        workerAnswer(await workers.declareSteps(Number(id), leaseOf(request, query), body.steps)),
      {
        parse: jsonBody,
        params: ItemParams,
        query: LeaseParams,
        body: StepsRequest,
        ...words({
          id: "declareSteps",
          tag: "Workers",
          summary: "Declare the steps of an attempt",
          about:
            "Declares all steps once, in their order; they are kept with the attempt, and a retry begins without any. Repeating the same list changes nothing; another list replaces it. Renews the lease.",
          headers: LEASE,
          successes: [json("stored; the directive says whether to continue", WorkerAnswer)],
          refusals: ["leased", "lease_lost", "gone", "illegal_move"],
        }),
      },
    )
