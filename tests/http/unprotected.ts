import { type Authorizer, EVERYBODY } from "../../src/access/authorize.ts"
import type { Tickets } from "../../src/access/tickets.ts"
import { TrustedProxies } from "../../src/http/client-address.ts"
import { ClientLimits } from "../../src/http/client-limits.ts"
import { Metrics } from "../../src/metrics/metrics.ts"

const authorizer: unknown = { caller: () => EVERYBODY, unknownCaller: () => EVERYBODY }
const tickets: unknown = { isShared: false }

/** The parts of an app that lets everybody do everything, as often as they like. */
export const UNPROTECTED = {
  authorizer: authorizer as Authorizer,
  tickets: tickets as Tickets,
  proxies: new TrustedProxies([]),
  metrics: new Metrics(),
  areDescriptorsFew: () => false,
  limits: new ClientLimits({ perAddress: 0, perToken: 0, perLease: 0, held: 0, steadyMs: () => 0 }),
}
