import { Type } from "@sinclair/typebox"

import type { Metrics } from "../../metrics/metrics.ts"
import { CONTENT_TYPE } from "../../metrics/prometheus-text.ts"
import type { AppWithCaller } from "../caller-of-request.ts"
import { words } from "../docs/words.ts"

/**
 * `GET /metrics`. If a metric cannot be read, `onError` is called with the reason, and the metric is left
 * out.
 */
export const metricsRoute = (app: AppWithCaller, metrics: Metrics, onError: (error: unknown) => void) =>
  app.get(
    "/metrics",
    async () =>
      new Response(await metrics.text(onError), {
        headers: { "content-type": CONTENT_TYPE, "cache-control": "no-store" },
      }),
    words({
      id: "metrics",
      tag: "Server",
      summary: "Metrics for Prometheus",
      about: "In the text format 0.0.4. No item and no worker is a label.",
      successes: [
        {
          status: 200,
          about: "the metrics of now",
          content: {
            "text/plain": { schema: Type.String(), wire: "track_studio_streams_opened_total 12\n" },
          },
        },
      ],
      refusals: ["method_not_allowed"],
    }),
  )
