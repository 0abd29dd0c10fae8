// SPDX-License-Identifier: Apache-2.0
import LookupServer
import NIOCore
import NIOPosix
import Posix
import Socketmap

/// One client of the lookup service: netstrings in, netstrings out, one request at a time.
final class LookupHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let service: LookupService
  private let threads: NIOThreadPool
  private let clients: LookupClients
  private var context: ChannelHandlerContext?
  private var received = ByteBuffer()
  /// A thread is querying the tables for this client.
  private(set) var isAnswering = false
  private(set) var lastUse = NIODeadline.now()
  /// Seconds from a request to its answer, including the wait for a thread: less than the 10 after which
  /// `ullage-deliver` with `lookup_fallback` queries the tables itself (`AddressLookup`), so that a slow
  /// database does not get those connections as well.
  private static let patience: Int64 = 8

  init(_ service: LookupService, _ threads: NIOThreadPool, _ clients: LookupClients) {
    self.service = service
    self.threads = threads
    self.clients = clients
  }

  func close() {
    context?.close(promise: nil)
  }

  func channelActive(context: ChannelHandlerContext) {
    self.context = context
    clients.add(self)
    context.read()
  }

  func channelInactive(context: ChannelHandlerContext) {
    self.context = nil
    received.clear()
    // Count it until it is answered, or clients that hang up at once could grow the queue without bound.
    if !isAnswering { clients.remove(self) }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    received.writeBuffer(&bytes)
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    proceed(context)
  }

  /// Reads nothing more from a client that does not read its answers.
  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { proceed(context) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  /// Answers the requests received so far, and reads on.
  private func proceed(_ context: ChannelHandlerContext) {
    while !isAnswering, context.channel.isWritable {
      switch Netstring.parse(received.readableBytesView, limit: SocketmapRequest.longest) {
      case .incomplete:
        received.discardReadBytes()
        if clients.isDraining { close() } else { context.read() }
        return
      case .invalid: return close()
      case .complete(let payload, let length):
        received.moveReaderIndex(forwardBy: length)
        guard let request = SocketmapRequest(payload) else { return close() }
        lastUse = .now()
        answer(request, context)
      }
    }
  }

  private func answer(_ request: SocketmapRequest, _ context: ChannelHandlerContext) {
    if let reply = service.heldReply(to: request) { return write(reply, context) }
    isAnswering = true
    let deadline = Deadline(secondsFromNow: Self.patience)
    threads.runIfActive(eventLoop: context.eventLoop) { [service] in service.reply(to: request, until: deadline) }
      .assumeIsolated().whenComplete { result in
        self.isAnswering = false
        guard let context = self.context else { return self.clients.remove(self) }
        guard case .success(let reply) = result else { return self.close() }
        self.write(reply, context)
        if self.clients.isDraining { self.close() } else { self.proceed(context) }
      }
  }

  private func write(_ reply: SocketmapReply, _ context: ChannelHandlerContext) {
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: Netstring.frame(reply.payload))), promise: nil)
  }
}
