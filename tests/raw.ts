/** Sends bytes over its own socket and returns everything that comes until the server closes it. */
export async function raw(url: string, request: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const closed = Promise.withResolvers<string>()
  let text = ""
  await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      open: (socket) => void socket.write(request),
      data: (_socket, bytes) => void (text += bytes.toString()),
      close: () => closed.resolve(text),
      error: (_socket, error) => closed.reject(error),
    },
  })
  return closed.promise
}
