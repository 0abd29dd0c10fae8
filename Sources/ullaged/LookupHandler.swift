// SPDX-License-Identifier: Apache-2.0
import LookupServer
import NIOCore
import NIOPosix
import Posix
import Socketmap

/// Moves the bytes of one client of the lookup service, and hands its requests to the threads that query.
final class LookupHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let service: LookupService
  private let threads: NIOThreadPool
  private let clients: LookupClients
  private var context: ChannelHandlerContext?
  private var session = LookupSession()
  private(set) var lastRequest = NIODeadline.now()
  /// Seconds from a request to its answer, including the wait for a thread: less than the 10 after which
  /// `ullage-deliver` with `lookup_fallback` queries the tables itself (`AddressLookup`), so that a slow
  /// database does not get those connections as well.
  private static let answerTimeout: Int64 = 8

  init(_ service: LookupService, _ threads: NIOThreadPool, _ clients: LookupClients) {
    self.service = service
    self.threads = threads
    self.clients = clients
  }

  /// A thread is querying the tables for this client.
  var isAnswering: Bool { session.isAnswering }

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
    // Count it until it is answered, or clients that hang up at once could grow the queue without bound.
    if !isAnswering { clients.remove(self) }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    session.receive(unwrapInboundIn(data).readableBytesView)
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    proceed(context)
  }

  /// Reads nothing more from a client that does not read its answers.
  func channelWritabilityChanged(context: ChannelHandlerContext) {
    proceed(context)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  /// Answers the requests received so far, and reads on.
  private func proceed(_ context: ChannelHandlerContext) {
    while context.channel.isWritable || clients.isDraining {
      switch session.next(isDraining: clients.isDraining) {
      case .wait: return
      case .read: return context.read()
      case .close: return close()
      case .answer(let request):
        lastRequest = .now()
        guard let reply = service.cachedReply(to: request) else { return query(request, context) }
        write(reply, context)
      }
    }
  }

  private func query(_ request: SocketmapRequest, _ context: ChannelHandlerContext) {
    let deadline = Deadline(secondsFromNow: Self.answerTimeout)
    threads.runIfActive(eventLoop: context.eventLoop) { [service] in service.reply(to: request, until: deadline) }
      .assumeIsolated().whenComplete { self.finish($0) }
  }

  private func finish(_ result: Result<SocketmapReply, any Error>) {
    guard let context, case .success(let reply) = result else {
      clients.remove(self)
      return close()
    }
    write(reply, context)
    proceed(context)
  }

  private func write(_ reply: SocketmapReply, _ context: ChannelHandlerContext) {
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: session.answered(reply))), promise: nil)
  }
}
