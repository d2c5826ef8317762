/* In an app of your own this is /client.js of a server, with its types from /client.d.ts. */
export { Client } from "../src/client/client.ts"
