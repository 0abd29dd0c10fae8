// SPDX-License-Identifier: Apache-2.0
import Conversation
import NIOCore
import NIOPosix
import Posix

/// Moves the bytes of one client, and hands its requests to the threads that find the replies.
final class ServiceHandler<R: Responder>: ChannelInboundHandler, ServiceClient {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let responder: R
  private let threads: NIOThreadPool
  private let clients: ServiceClients
  private var context: ChannelHandlerContext?
  private var session = R.Session()
  /// The number of the request whose reply is awaited.
  private var ticket = 0
  /// Threads that still work for this client, perhaps on requests that have been answered without them.
  private var work = 0
  private(set) var lastRequest = NIODeadline.now()
  /// What is answered if no thread does in time.
  private var lateReply: R.Session.Reply?
  private var isWatching = false

  init(_ responder: R, _ threads: NIOThreadPool, _ clients: ServiceClients) {
    self.responder = responder
    self.threads = threads
    self.clients = clients
  }

  var isAnswering: Bool { session.isAnswering }
  var isConnected: Bool { context != nil }

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
    if work == 0 { clients.remove(self) }
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
        guard let reply = responder.immediateReply(to: request) else { return find(request, context) }
        write(reply, context)
      }
    }
  }

  private func find(_ request: R.Session.Request, _ context: ChannelHandlerContext) {
    let deadline = Deadline(secondsFromNow: R.answerTimeout)
    ticket += 1
    work += 1
    let own = ticket
    threads.runIfActive(eventLoop: context.eventLoop) { [responder] in responder.reply(to: request, until: deadline) }
      .assumeIsolated().whenComplete { self.finish($0, own) }
    lateReply = responder.lateReply(to: request)
    if lateReply != nil { watch(context) }
  }

  /// Answers in place of a thread that does not. There is one timer for a connection, however many its requests are.
  private func watch(_ context: ChannelHandlerContext) {
    guard !isWatching else { return }
    isWatching = true
    let limit = lastRequest + .seconds(R.answerTimeout + 1)
    context.eventLoop.assumeIsolated().scheduleTask(deadline: limit) {
      self.isWatching = false
      guard let context = self.context, self.isAnswering, let reply = self.lateReply else { return }
      if NIODeadline.now() - self.lastRequest < .seconds(R.answerTimeout) { return self.watch(context) }
      self.responder.noteLateReply()
      self.answer(reply, self.ticket)
    }
  }

  private func finish(_ result: Result<R.Session.Reply, any Error>, _ ticket: Int) {
    work -= 1
    if context == nil, work == 0 { clients.remove(self) }
    switch result {
    case .success(let reply): answer(reply, ticket)
    case .failure: close()
    }
  }

  private func answer(_ reply: R.Session.Reply, _ ticket: Int) {
    guard let context, isAnswering, ticket == self.ticket else { return }
    write(reply, context)
    proceed(context)
  }

  private func write(_ reply: R.Session.Reply, _ context: ChannelHandlerContext) {
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: session.answered(reply))), promise: nil)
  }
}
