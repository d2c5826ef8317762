import { Elysia } from "elysia"

/** Where the paths of the API begin. */
export const API = "/api/v1"

/**
 * Takes routes whose paths begin with the API's own and then with `prefix`; "" for none. Each route has its whole path from
 * here on, because the framework would make all routes of a group again.
 */
export const api = <Prefix extends string>(prefix: Prefix) =>
  new Elysia({ prefix: `${API}${prefix}`, normalize: false })
